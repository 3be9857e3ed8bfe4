"""Neurons, Deployments and pods as the store keeps them, for tests of what is decided on them."""

from typing import Any

from mlneuron_operator.api.neuron import MLNeuron
from mlneuron_operator.engine.trim import OWNS_REPLICAS
from mlneuron_operator.kinds import DEPLOYMENT, POD, Kind
from mlneuron_operator.observation import Observation

NEW, OLD = "new", "old"


def neuron(**spec: Any) -> MLNeuron:
    spec = {"model": {"uri": "https://models.example.com/m.joblib", "version": "1.0.0"}, **spec}
    return MLNeuron.parse({"metadata": {"name": "churn", "namespace": "ml", "uid": "u", "generation": 2}, "spec": spec})


def deployment(*, wanted: int = 1, conditions: Any = (), owns: bool = True, seen: bool = True, **counts: Any) -> Any:
    return {
        "metadata": {"name": "churn", "generation": 2, "annotations": {}},
        "spec": {
            "replicas": wanted,
            "template": {"metadata": {"annotations": {"ml.findawise.io/revision": NEW}}},
        },
        "status": {"observedGeneration": 2 if seen else 1, "conditions": list(conditions), **counts},
        OWNS_REPLICAS: owns,
    }


def settled(wanted: int = 1) -> Any:
    return deployment(wanted=wanted, updatedReplicas=wanted, replicas=wanted, readyReplicas=wanted)


def pod(
    name: str = "churn-1",
    *,
    ready: bool = False,
    revision: str = NEW,
    conditions: Any = (),
    model_image: str | None = None,
    **container: Any,
) -> dict[str, Any]:
    runtime = {
        "name": "runtime",
        "image": "runtime:1",
        "ready": ready,
        "restartCount": 0,
        "state": {"running": {}},
        "lastState": {},
        **container,
    }
    return {
        "metadata": {"name": name, "namespace": "ml", "uid": f"uid-{name}"},
        "revision": revision,
        "config": f"config-{revision}",
        "modelImage": model_image,
        "phase": "Running",
        "reason": None,
        "message": None,
        "ip": "10.0.0.1",
        "conditions": [{"type": "Ready", "status": "True" if ready else "False"}, *conditions],
        "containers": [runtime],
    }


def observed(live: Any | None, *pods: dict[str, Any]) -> Observation:
    owned: dict[tuple[Kind, str], Any] = {(POD, item["metadata"]["name"]): item for item in pods}
    if live is not None:
        owned[DEPLOYMENT, "churn"] = live
    return Observation.of(owned)
