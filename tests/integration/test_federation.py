"""The operator between a real API server and a (fake) federation core: tokens in Secrets, conditions, goodbyes."""

from pathlib import Path

import pytest

from tests.integration.conftest import Start
from tests.integration.neurons import neuron
from tests.support.core_process import core
from tests.support.kube import Kube, Object, eventually

pytestmark = pytest.mark.integration
TOKENS = "ml.findawise.io/token=true"


def reported(kube: Kube, space: str, name: str = "churn") -> Object | None:
    return kube.condition(name, space, "FederationReady")


def reason(kube: Kube, space: str, name: str = "churn") -> str:
    return str((reported(kube, space, name) or {}).get("reason", ""))


def tokens(kube: Kube) -> set[str]:
    return {item["metadata"]["annotations"]["ml.findawise.io/neuron-id"] for item in secrets(kube)}


def secrets(kube: Kube) -> list[Object]:
    return kube.items("secrets", "mlneuron-system", TOKENS)


def test_a_neuron_is_registered_once_reported_and_told_goodbye(
    kube: Kube, space: str, start: Start, tmp_path: Path
) -> None:
    neuron_id = f"{space}.churn"
    with core() as there, start(MLNEURON_FEDERATION_URL=there.url) as first:
        first.wait_until_leading()
        kube.apply(neuron("churn", space, federation={"capabilities": ["churn-prediction"]}))
        eventually("registered", lambda: reason(kube, space) == "Registered")
        row = eventually("known to the core", lambda: there.row(neuron_id))
        assert row["registration"]["capabilities"] == ["churn-prediction"]
        assert neuron_id in tokens(kube)
        status = eventually(
            "an entry", lambda: (kube.get("mlneuron", "churn", space) or {})["status"].get("federation")
        )
        assert status["neuronId"] == neuron_id
        assert status["registered"] is True
        assert "lastHeartbeat" in status
        first.stop()
        with start(MLNEURON_FEDERATION_URL=there.url) as second:
            second.wait_until_leading()
            kube.delete("mlneuron", "churn", space)
            eventually("goodbye", lambda: (there.row(neuron_id) or {})["status"] == "inactive")
            assert neuron_id in tokens(kube), "its token outlives it, since the id can never be registered again"
            kube.apply(neuron("churn", space))
            eventually("reported again with the kept token", lambda: there.row(neuron_id)["status"] != "inactive")  # type: ignore[index]
            eventually("registered", lambda: reason(kube, space) == "Registered")
    assert_no_token_in(kube, space, (tmp_path / "log").read_text())


def assert_no_token_in(kube: Kube, space: str, log: str) -> None:
    """Neither log, events nor status show what only a Secret may hold (a JWT starts with eyJ)."""
    assert secrets(kube)
    assert "eyJ" not in log
    assert "eyJ" not in kube.run("get", "mlneurons,events", "-n", space, "-o", "yaml").stdout


def test_a_dead_core_is_a_condition_and_nothing_else(kube: Kube, space: str, start: Start) -> None:
    with core() as there, start(MLNEURON_FEDERATION_URL=there.url) as process:
        there.switch(down=True)
        process.wait_until_leading()
        kube.apply(neuron("churn", space))
        eventually("its children", lambda: kube.get("deployment", "churn", space))
        eventually("unreachable", lambda: reason(kube, space) == "CoreUnreachable", 40)
        ready = kube.condition("churn", space, "Ready")
        assert ready is not None
        assert ready["reason"] == "Creating"
        assert kube.condition("churn", space, "Stalled") is None
        there.switch(down=False)
        eventually("registered once it is back", lambda: reason(kube, space) == "Registered", 60)


def test_an_id_whose_token_is_lost_is_told_with_the_mend(kube: Kube, space: str, start: Start) -> None:
    with core() as there, start(MLNEURON_FEDERATION_URL=there.url) as process:
        process.wait_until_leading()
        kube.apply(neuron("churn", space))
        eventually("registered", lambda: reason(kube, space) == "Registered")
        process.stop()
        kube.run("delete", "secrets", "-n", "mlneuron-system", "-l", TOKENS)
        with start(MLNEURON_FEDERATION_URL=there.url):
            eventually("refused", lambda: reason(kube, space) == "RegistrationRefused", 40)
            told = reported(kube, space)
            assert told is not None
            assert "spec.federation.neuronId" in told["message"]


def test_a_neuron_that_opts_out_is_not_reported(kube: Kube, space: str, start: Start) -> None:
    with core() as there, start(MLNEURON_FEDERATION_URL=there.url) as process:
        process.wait_until_leading()
        kube.apply(neuron("quiet", space, federation={"enabled": False}), neuron("loud", space))
        eventually("the other is registered", lambda: reason(kube, space, "loud") == "Registered")
        assert reported(kube, space, "quiet") is None
        assert there.row(f"{space}.quiet") is None
