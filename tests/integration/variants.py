"""Variants as a user writes them, and what the cluster says of them."""

import json
from typing import Any

from tests.support.kube import Kube, Object, eventually


def variant(name: str, namespace: str, traffic: float | None = 10, **spec: Any) -> Object:
    model = {"uri": "https://models.example.com/churn/candidate.joblib", "version": "2.0.0"}
    share = {} if traffic is None else {"traffic": traffic}
    return {
        "apiVersion": "ml.findawise.io/v1alpha1",
        "kind": "ModelVariant",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"neuron": "churn", "model": model, **share, **spec},
    }


def status(kube: Kube, space: str, name: str = "candidate") -> Object:
    found = kube.get("modelvariant", name, space) or {}
    told: Object = found.get("status", {})
    return told


def condition(kube: Kube, space: str, kind: str, name: str = "candidate") -> Object | None:
    return next((item for item in status(kube, space, name).get("conditions", ()) if item["type"] == kind), None)


def table(kube: Kube, space: str) -> Object | None:
    found = kube.get("configmap", "churn-mlneuron-traffic", space)
    return json.loads(found["data"]["traffic.json"]) if found else None


def serves(kube: Kube, space: str, variant: str) -> None:
    """Say of a variant's pods that they are ready, as a kubelet would."""
    selector = f"ml.findawise.io/neuron=churn,ml.findawise.io/variant={variant}"
    for pod in eventually(f"a pod of {variant}", lambda: kube.items("pods", space, selector)):
        ready = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}
        how = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": ready}))
        kube.run("patch", "pod", pod["metadata"]["name"], "-n", space, *how)


def traffic(kube: Kube, space: str) -> str:
    found = kube.get("mlneuron", "churn", space) or {}
    return str(found.get("status", {}).get("summary", {}).get("traffic"))


def step(share: float) -> dict[str, Any]:
    return {"traffic": share, "hold": "10m"}


def announced(kube: Kube, space: str) -> set[str]:
    pods = kube.items("pods", space, "ml.findawise.io/neuron=churn,ml.findawise.io/variant=primary")
    return {pod["metadata"]["annotations"].get("ml.findawise.io/traffic") for pod in pods}


def all_told(kube: Kube, space: str) -> bool:
    return announced(kube, space) == {(table(kube, space) or {}).get("revision")}


def newer(kube: Kube, space: str) -> bool:
    """Whether what is made now is younger than the variant that exists, by the API server's clock of whole seconds."""
    name = "clock"
    kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": space}})
    made = (kube.get("configmap", name, space) or {})["metadata"]["creationTimestamp"]
    kube.delete("configmap", name, space)
    return bool(made > (kube.get("modelvariant", "older", space) or {})["metadata"]["creationTimestamp"])


def refused(kube: Kube, space: str) -> Object | None:
    found = kube.condition("churn", space, "TrafficApplied")
    return found if found and found["reason"] == "SharesExceed100" else None


def selected(kube: Kube, space: str) -> str:
    service = kube.get("service", "churn", space) or {}
    return str(service.get("spec", {}).get("selector", {}).get("ml.findawise.io/variant"))
