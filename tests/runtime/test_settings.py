"""config.json is parsed strictly, and a model file alone has every default."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.settings import environment, limit_threads, read_config, standalone

CONTRACT: dict[str, Any] = {
    "neuron": {"namespace": "ml", "name": "churn"},
    "model": {
        "name": "churn",
        "version": "1.0.0",
        "framework": "sklearn",
        "uri": "https://host/m.joblib",
        "path": "/models/m.joblib",
        "sha256": None,
    },
    "batching": {"maxSize": 32, "maxDelaySeconds": 0.0, "maxQueue": 1024},
    "serving": {"timeoutSeconds": 10.0, "maxBodyBytes": 4194304, "drainSeconds": 20.0},
}


def changed(section: str, **values: Any) -> dict[str, Any]:
    return {**CONTRACT, section: {**CONTRACT[section], **values}}


def write(folder: Path, content: object) -> Path:
    path = folder / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_the_operators_config_is_read(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, CONTRACT))
    assert config.model.path == "/models/m.joblib"
    assert config.batching.max_queue == 1024
    assert config.serving.drain_seconds == 20.0


def test_limits_that_are_not_said_have_their_defaults(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, {key: CONTRACT[key] for key in ("neuron", "model")}))
    assert config.batching.max_size == 32
    assert config.serving.max_body_bytes == 4 * 1024 * 1024


BAD: list[tuple[object, str]] = [
    (changed("model", colour="red"), "unknown field `colour` - at `$.model`"),
    ({**CONTRACT, "batchin": {}}, "unknown field `batchin`"),
    (changed("model", framework="tensorflow"), "$.model.framework"),
    (changed("model", sha256="abc"), "$.model.sha256"),
    (changed("batching", maxSize=0), "$.batching.maxSize"),
    (changed("batching", maxQueue="many"), "$.batching.maxQueue"),
    (changed("serving", timeoutSeconds=0), "$.serving.timeoutSeconds"),
    ({"neuron": CONTRACT["neuron"]}, "missing required field `model`"),
    ("{", "truncated"),
    ("[]", "Expected `object`"),
]


@pytest.mark.parametrize(("content", "told"), BAD)
def test_a_config_with_an_error_names_the_key(tmp_path: Path, content: object, told: str) -> None:
    with pytest.raises(Fatal) as failed:
        read_config(write(tmp_path, content))
    assert failed.value.reason is Reason.CONFIG_INVALID
    assert told in failed.value.message


def test_a_missing_config_is_told(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="No such file"):
        read_config(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("file", "framework"),
    [
        ("m.joblib", "sklearn"),
        ("m.PKL", "sklearn"),
        ("m.ubj", "xgboost"),
        ("m.json", "xgboost"),
        ("m.pt2", "torch"),
    ],
)
def test_the_extension_tells_the_framework(file: str, framework: str) -> None:
    config = standalone(Path("models") / file, None)
    assert config.model.framework == framework
    assert config.model.name == "m"
    assert config.model.uri.startswith("file:///")


def test_an_unknown_extension_asks_for_the_framework() -> None:
    with pytest.raises(Fatal, match="add --framework"):
        standalone(Path("model.bin"), None)
    assert standalone(Path("model.bin"), "torch").model.framework == "torch"


def test_the_environment_has_defaults_for_outside_a_pod() -> None:
    assert environment({}).termination_log == Path("/dev/termination-log")
    told = environment({"MLNEURON_TERMINATION_LOG": "/tmp/x", "MLNEURON_LOG_LEVEL": "DEBUG"})  # noqa: S108  # not opened
    assert (told.termination_log, told.log_level) == (Path("/tmp/x"), "debug")  # noqa: S108  # not opened


def test_threads_are_limited_unless_the_manifest_says_otherwise() -> None:
    variables = {"OMP_NUM_THREADS": "7"}
    limit_threads(2, variables)
    assert variables == {"OMP_NUM_THREADS": "7", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
