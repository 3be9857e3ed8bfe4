"""Neurons from files, what is built of them, and the parts of it that tests look at."""

from pathlib import Path
from typing import Any

import yaml
from mlneuron_operator.api.neuron import MLNeuron
from mlneuron_operator.desired import desired_state
from mlneuron_operator.settings import RuntimeImages

HERE = Path(__file__).parent
IMAGES = RuntimeImages(cpu="registry.example.com/runtime:1", gpu="registry.example.com/runtime:1-gpu")
CASES = sorted(path.stem for path in (HERE / "input").glob("*.yaml"))


def load(name: str) -> dict[str, Any]:
    obj: dict[str, Any] = yaml.safe_load((HERE / "input" / f"{name}.yaml").read_text())
    return obj


def build(obj: dict[str, Any], replicas: int | None = 1) -> list[dict[str, Any]]:
    return desired_state(MLNeuron.parse(obj), IMAGES, replicas)


def by_kind(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {obj["kind"]: obj for obj in objects}


def pod(objects: list[dict[str, Any]]) -> dict[str, Any]:
    template: dict[str, Any] = by_kind(objects)["Deployment"]["spec"]["template"]
    return template


def changed(obj: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {**obj, "spec": {**obj["spec"], **spec}}
