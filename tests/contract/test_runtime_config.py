"""What the operator writes, the runtime parses: both packages installed, neither mocked."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlneuron_operator.api.neuron import MLNeuron
from mlneuron_operator.api.status import RUNTIME_REASONS
from mlneuron_operator.desired.config import config_map
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
