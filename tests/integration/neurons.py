"""Manifests as a user writes them."""

from typing import Any

CHILDREN = "serviceaccounts,configmaps,services,deployments,poddisruptionbudgets,horizontalpodautoscalers,ingresses"
COLUMNS = ["NAME", "READY", "REASON", "REPLICAS", "VERSION", "HEALTH", "TRAFFIC", "FEDERATION", "AGE"]
OURS = "app.kubernetes.io/managed-by=mlneuron-operator"


def neuron(name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    model = {"uri": "https://models.example.com/churn/model.joblib", "version": "1.0.0"}
    return {
        "apiVersion": "ml.findawise.io/v1alpha1",
        "kind": "MLNeuron",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"model": model, **spec},
    }


AUTOSCALED: dict[str, Any] = {
    "autoscaling": {"minReplicas": 2, "maxReplicas": 8},
    "resources": {"requests": {"cpu": "100m"}},
}
EVERYTHING: dict[str, Any] = {**AUTOSCALED, "route": {"host": "churn.example.com"}}
SHARED: dict[str, Any] = {
    "model": {
        "uri": "s3://models/churn/model.joblib",
        "credentials": {"secretName": "bucket"},
        "cache": {"claimName": "cache"},
        "inputs": [{"name": "area"}, {"name": "district", "datatype": "BYTES"}],
    },
    "serving": {
        "workers": 2,
        "auth": {"secretName": "callers"},
        "payloadLog": {"url": "http://collector/events", "sample": "1%"},
    },
}
"""Every kind of volume, and all that the runtime is told."""
