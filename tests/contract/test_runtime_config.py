"""What the operator writes, the runtime parses: both packages installed, neither mocked."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from mlneuron_operator.api.model import Datatype, Framework, ModelSpec
from mlneuron_operator.api.neuron import MLNeuron
from mlneuron_operator.api.status import RUNTIME_REASONS
from mlneuron_operator.desired.config import config_map
from mlneuron_operator.desired.volumes import TOKENS_FOLDER
from mlneuron_runtime import settings as runtime_settings
from mlneuron_runtime.failure import Reason as RuntimeReason

INPUTS = sorted((Path(__file__).parents[1] / "operator/desired/input").glob("*.yaml"))


def written(path: Path) -> tuple[MLNeuron, str]:
    neuron = MLNeuron.parse(yaml.safe_load(path.read_text()))
    return neuron, config_map(neuron)["data"]["config.json"]


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.stem)
def test_the_runtime_understands_what_the_operator_writes(path: Path, tmp_path: Path) -> None:
    neuron, text = written(path)
    file = tmp_path / "config.json"
    file.write_text(text)
    config = runtime_settings.read_config(file)
    assert config.model.name == neuron.name
    assert config.model.framework == neuron.spec.model.resolved_framework()
    assert config.model.sha256 == neuron.spec.model.sha256
    assert config.batching.max_size == neuron.spec.batching.max_size
    assert config.serving.drain_seconds == config.serving.timeout_seconds + 5


def read(name: str, tmp_path: Path) -> runtime_settings.Config:
    file = tmp_path / "config.json"
    file.write_text(written(next(path for path in INPUTS if path.stem == name))[1])
    return runtime_settings.read_config(file)


def test_where_the_model_comes_from_arrives(tmp_path: Path) -> None:
    model = read("bucket", tmp_path).model
    assert model.uri == "s3://models/churn/2026-11/model.joblib"
    assert model.path == "/models/model.joblib"
    assert model.cache == "/cache"
    assert model.prepared == "/cache/prepared"
    assert model.acceleration == "Auto"
    assert read("image", tmp_path).model.prepared == "/prepared"


def test_the_declared_inputs_arrive_in_their_order(tmp_path: Path) -> None:
    model = read("registry", tmp_path).model
    assert model.acceleration == "Off"
    assert model.prepared is None
    inputs = [(item.name, item.datatype, item.shape) for item in model.inputs or ()]
    assert inputs == [("area", "FP64", []), ("rooms", "INT64", []), ("district", "BYTES", [])]
    shapes = [item.shape for item in read("guarded", tmp_path).model.inputs or ()]
    assert shapes == [[3, 64, 64]]


def test_how_a_pod_serves_arrives(tmp_path: Path) -> None:
    serving = read("guarded", tmp_path).serving
    assert (serving.workers, serving.grpc) == (4, False)
    assert serving.token_file == f"{TOKENS_FOLDER}/tokens"
    assert serving.payload_log == runtime_settings.PayloadLog(
        url="http://collector.observability.svc/events", sample=0.001, mode="Request", redact=["user_id", "income"]
    )
    plain = read("minimal", tmp_path).serving
    assert (plain.workers, plain.grpc, plain.token_file, plain.payload_log) == (1, True, None, None)


def test_both_know_the_same_frameworks_endings_and_datatypes() -> None:
    assert set(get_args(Framework)) == set(get_args(runtime_settings.Framework))
    assert set(get_args(Datatype)) == set(get_args(runtime_settings.Datatype))
    for suffix, framework in runtime_settings.EXTENSIONS.items():
        model = ModelSpec.model_validate({"uri": f"https://models.example.com/m{suffix}"})
        assert model.resolved_framework() == framework, suffix


def test_the_runtime_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    _, text = written(INPUTS[0])
    config: dict[str, Any] = json.loads(text)
    config["serving"]["timeoutSecond"] = 1
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    with pytest.raises(Exception, match="timeoutSecond"):
        runtime_settings.read_config(file)


def test_every_reason_that_the_runtime_gives_is_one_that_the_operator_knows() -> None:
    assert {reason.value for reason in RuntimeReason} == {reason.value for reason in RUNTIME_REASONS}
