"""Specs that the CRD admits."""

from typing import Final

from .specs import DIGEST, Spec, fine, model, pods, route

ADMITTED: Final[dict[str, Spec]] = {
    "no more than a model": fine(),
    "a model in a claim": model("pvc://models.v1/churn/2026/m.ubj"),
    "a claim's file with a blank": model("pvc://models/my model.joblib"),
    "a claim's file with dots in its name": model("pvc://models/churn..v2.joblib"),
    "a URL with a query": model("http://models:8080/m.pt2?version=3"),
    "a file whose framework is named": model("https://example.com/m", framework="torch"),
    "a pinned version": model("https://example.com/m.json", version="2026.11+rc.1", sha256=DIGEST),
    "no replicas": fine(replicas=0),
    "numbers as quantities": fine(resources={"requests": {"cpu": 1, "memory": "0.5Gi"}, "limits": {"cpu": "1500m"}}),
    "a GPU as a limit": fine(resources={"limits": {"nvidia.com/gpu": 1}}),
    "limits below what is requested by default": fine(resources={"limits": {"cpu": "50m", "memory": "128Mi"}}),
    "the same GPU as number and text": fine(
        resources={"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": "1"}}
    ),
    "batching and limits": fine(
        batching={"maxSize": 1, "maxDelay": "250ms", "maxQueue": 1},
        serving={"timeout": "1h", "maxBodyBytes": 1048576},
    ),
    "a compound duration": fine(serving={"timeout": "1m30s", "maxBodyBytes": "1Gi"}),
    "a route": route(
        host="*.example.com", path="/a", ingressClassName="nginx", tlsSecretName="t", annotations={"a.b/c": "d e"}
    ),
    "autoscaling by a limit": fine(
        resources={"limits": {"cpu": 1}}, autoscaling={"minReplicas": 2, "maxReplicas": 2, "targetCPU": 100}
    ),
    "another id at the core": fine(federation={"neuronId": "Churn-1.eu_west", "capabilities": ["churn-prediction"]}),
    "everything about pods": pods(
        labels={"team": "a_b", "example.com/cost": ""},
        annotations={"example.com/note": "any text, even this"},
        nodeSelector={"kubernetes.io/arch": "amd64"},
        tolerations=[{"operator": "Exists"}, {"key": "a", "effect": "NoExecute", "tolerationSeconds": 5}],
        affinity={"nodeAffinity": {}},
        env=[{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b.c"}}}],
        imagePullSecrets=[{"name": "registry"}],
        serviceAccountName="reader",
        priorityClassName="high",
        runtimeClassName="nvidia",
    ),
}
