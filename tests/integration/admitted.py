"""Specs that the CRD admits."""

from typing import Final

from .specs import DIGEST, Spec, fine, logged, model, pods, route, serving

ADMITTED: Final[dict[str, Spec]] = {
    "no more than a model": fine(),
    "a model in a claim": model("pvc://models.v1/churn/2026/m.ubj"),
    "a claim's file with a blank": model("pvc://models/my model.joblib"),
    "a claim's file with dots in its name": model("pvc://models/churn..v2.joblib"),
    "a URL with a query": model("http://models:8080/m.pt2?version=3"),
    "a model in a bucket": model("s3://models.v1/churn/a model.joblib", credentials={"secretName": "reader"}),
    "a model in Google's bucket": model("gs://models_v1/m.skops", cache={"claimName": "models.cache"}),
    "a version of the registry": model("models:/house prices/12", credentials={"secretName": "mlflow"}),
    "an alias of the registry": model("models:/churn@the-champion", framework="mlflow"),
    "a folder in a claim": model("pvc://models/churn/", framework="mlflow"),
    "a folder in a bucket": model("s3://models/churn/", framework="mlflow"),
    "a folder that does not look like one": model("pvc://models/churn", framework="mlflow"),
    "a model in an image": model("oci://registry.example.com/models/churn:1.0/model.joblib"),
    "a model in an image of a registry with a port": model("oci://localhost:5000/churn:v1/a/b.onnx"),
    "a model in a pinned image": model(f"oci://docker.io/library/churn@sha256:{DIGEST}/m.ubj"),
    "a model in an image with tag and digest": model(f"oci://ghcr.io/a/b__c.d-e/f:1@sha256:{DIGEST}/m.pt2"),
    "a model of the runtime's image": model("file:///opt/models/m.onnx"),
    "a model as it was saved": model("https://example.com/m.ubj", acceleration="Off"),
    "a model with its inputs": model(
        "https://example.com/m.onnx",
        inputs=[
            {"name": "a b"},
            {"name": "c", "datatype": "BYTES"},
            {"name": "d", "datatype": "FP32", "shape": [3, 8]},
        ],
    ),
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
    "processes by CPU": serving(workers="auto", grpc=False),
    "as many processes as can be": serving(workers=64),
    "callers with a token": serving(auth={"secretName": "callers", "key": "api.tokens"}),
    "a share of the requests, logged": logged(sample="0.125%", mode="Response", redact=["user id"]),
    "every request logged": logged(url="https://collector.example.com:8443/events?to=audit", sample="100%"),
    "subjects of their own": fine(traffic={"subjectHeader": "X-Account-Id", "subjectField": "account id"}),
    "a route": route(
        host="*.example.com", path="/a", ingressClassName="nginx", tlsSecretName="t", annotations={"a.b/c": "d e"}
    ),
    "a Gateway": route(
        path="/a/",
        annotations={"a.b/c": "d e"},
        gateway={
            "parentRefs": [
                {"name": "public", "namespace": "infra", "sectionName": "web", "port": 80},
                {"name": "inside", "group": "example.com", "kind": "Other"},
            ]
        },
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
