"""Settings from the environment: what the chart writes, and what a typo is told."""

import pytest
from mlneuron_operator.settings import Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_env({"MLNEURON_POD_NAME": "pod"}) == Settings(identity="pod")


def test_everything_can_be_chosen() -> None:
    settings = Settings.from_env(
        {
            "MLNEURON_RUNTIME_IMAGE": "runtime:1",
            "MLNEURON_RUNTIME_GPU_IMAGE": "runtime:1-gpu",
            "MLNEURON_RUNTIME_PULL_POLICY": "Always",
            "MLNEURON_FEDERATION_URL": "http://core:5000/",
            "MLNEURON_REQUIRE_MODEL_DIGEST": "true",
            "MLNEURON_NAMESPACE": "ops",
            "MLNEURON_POD_NAME": "pod",
            "MLNEURON_WATCH_NAMESPACES": "a, b",
            "MLNEURON_LOG_LEVEL": "debug",
            "MLNEURON_LEASE_NAME": "lease",
            "MLNEURON_RESYNC_SECONDS": "60",
            "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        }
    )
    assert settings.images.gpu == "runtime:1-gpu"
    assert settings.federation_url == "http://core:5000"
    assert settings.require_model_digest
    assert settings.watch_namespaces == ("a", "b")
    assert settings.resync_seconds == 60
    assert settings.in_cluster


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MLNEURON_WORKERS", "many", "MLNEURON_WORKERS is 'many': write a number"),
        ("MLNEURON_METRICS_PORT", "-1", "write a number above 0"),
        ("MLNEURON_REQUIRE_MODEL_DIGEST", "yes", "MLNEURON_REQUIRE_MODEL_DIGEST is 'yes': write true or false"),
        ("MLNEURON_LOG_LEVEL", "loud", "choose DEBUG, INFO, WARNING or ERROR"),
        ("MLNEURON_FEDERATION_URL", "core:5000", "write http://HOST"),
        ("MLNEURON_FEDERATION_URL", "http://user:secret@core", "a URL with a user in it"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable_and_its_mend(name: str, value: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        Settings.from_env({name: value})
    assert "secret" not in str(refused.value)
