"""Specs that the CRD admits and specs that it refuses, each with the field and the words of the refusal."""

from typing import Any, Final, NamedTuple

Spec = dict[str, Any]

DIGEST: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
TIMEOUT_RANGE: Final = "choose at least 1ms and at most 1h"
NO_DURATION: Final = "is not a duration: write numbers with ms, s, m or h"
NO_QUANTITY: Final = "is not a quantity: write a number with a suffix"
NO_KEY: Final = "; write NAME or DOMAIN/NAME"
UNKNOWN_RESOURCE: Final = ": write cpu, memory, ephemeral-storage, or a full name such as nvidia.com/gpu"
WHOLE_PIECES: Final = "comes in whole pieces: write a whole number"
PATTERN: Final = "should match"
WHOLE: Final = "<nil>"
"""What the API server calls the object itself."""


class Refused(NamedTuple):
    """A bad spec: the field that the API server names, and a part of what it says of it."""

    field: str
    says: str
    spec: Spec
    name: str = ""
    """Name of the neuron where the name is what is wrong."""


def model(uri: str, **fields: Any) -> Spec:
    return {"model": {"uri": uri, **fields}}


def _fine(**spec: Any) -> Spec:
    return {**model("https://models.example.com/m.joblib"), **spec}


def _pods(**fields: Any) -> Spec:
    return _fine(podTemplate=fields)


def _source(**fields: Any) -> Spec:
    return _pods(env=[{"name": "TOKEN", "valueFrom": fields}])


def _route(**fields: Any) -> Spec:
    return _fine(route={"host": "churn.example.com", **fields})


REFUSED: Final[dict[str, Refused]] = {
    "a name with a dot": Refused(WHOLE, "names a Service too", _fine(), "a.b"),
    "a name that starts with a digit": Refused(WHOLE, "starting with a letter", _fine(), "1st"),
    "a name longer than a label": Refused("metadata.name", "more than 63", _fine(), "n" * 64),
    "no model": Refused("spec.model", "Required", {"replicas": 1}),
    "a model without a uri": Refused("spec.model.uri", "Required", {"model": {"framework": "torch"}}),
    "a type that nothing serves": Refused("spec.type", 'supported values: "Serving"', _fine(type="Training")),
    "a uri scheme that nothing fetches": Refused(
        "spec.model.uri", "uri is s3://bucket/m.joblib: write pvc://CLAIM/PATH", model("s3://bucket/m.joblib")
    ),
    "a claim without a path": Refused("spec.model.uri", "write pvc://CLAIM/PATH", model("pvc://models")),
    "a claim that is no name": Refused("spec.model.uri", "write pvc://CLAIM/PATH", model("pvc://Models/m.joblib")),
    "a URL without a host": Refused("spec.model.uri", "https://HOST/PATH", model("https:///m.joblib")),
    "a folder": Refused("spec.model.uri", "a folder: name the model file in it", model("pvc://models/churn/")),
    "a uri that climbs out of its claim": Refused(
        "spec.model.uri", "remove the .. parts", model("pvc://models/../m.joblib")
    ),
    "a uri with a password": Refused(
        "spec.model.uri", "must not hold credentials", model("https://me:secret@example.com/m.joblib")
    ),
    "a URL with a blank": Refused("spec.model.uri", "write %20 for each", model("https://example.com/a m.joblib")),
    "a URL with a line break": Refused("spec.model.uri", "write %20", model("https://example.com/m.joblib\n")),
    "a file whose framework nothing tells": Refused(
        "spec.model", "set framework to sklearn, xgboost or torch", model("https://example.com/m.bin")
    ),
    "a framework that nothing runs": Refused(
        "spec.model.framework", '"sklearn", "xgboost", "torch"', model("https://example.com/m.h5", framework="keras")
    ),
    "a version with a blank": Refused(
        "spec.model.version", PATTERN, model("https://example.com/m.joblib", version="v 1")
    ),
    "a version that YAML reads as a number": Refused(
        "spec.model.version", "must be of type string", model("https://example.com/m.joblib", version=1.0)
    ),
    "a digest with a prefix": Refused(
        "spec.model.sha256",
        "without a prefix: take the first word that sha256sum FILE prints",
        model("https://example.com/m.joblib", sha256="sha256:" + DIGEST),
    ),
    "fewer than no replicas": Refused("spec.replicas", "greater than or equal to 0", _fine(replicas=-1)),
    "too many replicas": Refused("spec.replicas", "less than or equal to 1000", _fine(replicas=1001)),
    "a request that is no quantity": Refused(
        "spec.resources.requests[]", "one gig " + NO_QUANTITY, _fine(resources={"requests": {"memory": "one gig"}})
    ),
    "a limit that is no quantity": Refused(
        "spec.resources.limits[]", "1GB " + NO_QUANTITY, _fine(resources={"limits": {"memory": "1GB"}})
    ),
    "a limit below zero": Refused(
        "spec.resources.limits[]", "-1 " + NO_QUANTITY, _fine(resources={"limits": {"cpu": -1}})
    ),
    "a request for a short name": Refused(
        "spec.resources.requests", "unknown resource gpu" + UNKNOWN_RESOURCE, _fine(resources={"requests": {"gpu": 1}})
    ),
    "huge pages": Refused(
        "spec.resources.requests", "unknown resource hugepages-2Mi", _fine(resources={"requests": {"hugepages-2Mi": 1}})
    ),
    "a limit on a short name": Refused(
        "spec.resources.limits", "unknown resource ram" + UNKNOWN_RESOURCE, _fine(resources={"limits": {"ram": "1Gi"}})
    ),
    "a request for half a GPU": Refused(
        "spec.resources.requests", WHOLE_PIECES, _fine(resources={"requests": {"nvidia.com/gpu": "500m"}})
    ),
    "a limit of half a GPU": Refused(
        "spec.resources.limits", WHOLE_PIECES, _fine(resources={"limits": {"nvidia.com/gpu": "0.5"}})
    ),
    "an overcommitted GPU": Refused(
        "spec.resources",
        "give it the same number in requests and limits",
        _fine(resources={"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 2}}),
    ),
    "a request above its limit": Refused(
        "spec.resources",
        "lower it in requests, or raise it in limits",
        _fine(resources={"requests": {"memory": "2Gi"}, "limits": {"memory": "1500M"}}),
    ),
    "a batch of nothing": Refused(
        "spec.batching.maxSize", "greater than or equal to 1", _fine(batching={"maxSize": 0})
    ),
    "a delay without a unit": Refused("spec.batching.maxDelay", "5 " + NO_DURATION, _fine(batching={"maxDelay": "5"})),
    "a delay as long as the deadline": Refused(
        "spec",
        "batching.maxDelay 10s is not below serving.timeout 10s",
        _fine(batching={"maxDelay": "10s"}),
    ),
    "a deadline in days": Refused("spec.serving.timeout", "1d " + NO_DURATION, _fine(serving={"timeout": "1d"})),
    "a deadline of nothing": Refused("spec.serving.timeout", TIMEOUT_RANGE, _fine(serving={"timeout": "0s"})),
    "a deadline of hours": Refused("spec.serving.timeout", TIMEOUT_RANGE, _fine(serving={"timeout": "61m"})),
    "a deadline that rounds to nothing": Refused(
        "spec.serving.timeout", TIMEOUT_RANGE, _fine(serving={"timeout": "0.0001ms"})
    ),
    "a body size in words": Refused(
        "spec.serving.maxBodyBytes", "4MB " + NO_QUANTITY, _fine(serving={"maxBodyBytes": "4MB"})
    ),
    "a body of nothing": Refused(
        "spec.serving.maxBodyBytes", "maxBodyBytes is 0: choose", _fine(serving={"maxBodyBytes": 0})
    ),
    "a body of half a byte": Refused(
        "spec.serving.maxBodyBytes", "maxBodyBytes is 500m: choose", _fine(serving={"maxBodyBytes": "500m"})
    ),
    "a body that fills the pod": Refused(
        "spec.serving.maxBodyBytes", "from 1 to 1Gi", _fine(serving={"maxBodyBytes": "2Gi"})
    ),
    "a route without a host": Refused("spec.route.host", "Required", _fine(route={"path": "/"})),
    "a route to a URL": Refused("spec.route.host", PATTERN, _route(host="https://churn.example.com")),
    "a route to an address": Refused("spec.route.host", "write a host name", _route(host="10.0.0.1")),
    "a path that is not absolute": Refused("spec.route.path", PATTERN, _route(path="churn")),
    "an ingress class that is no name": Refused("spec.route.ingressClassName", PATTERN, _route(ingressClassName="A")),
    "a certificate that is no name": Refused("spec.route.tlsSecretName", PATTERN, _route(tlsSecretName="a/b")),
    "an ingress annotation with a blank": Refused(
        "spec.route.annotations", "not a valid key: a b" + NO_KEY, _route(annotations={"a b": "c"})
    ),
    "autoscaling of pods that reserve no CPU": Refused(
        "spec", "set resources.requests.cpu", _fine(autoscaling={"maxReplicas": 3})
    ),
    "autoscaling without an end": Refused(
        "spec.autoscaling.maxReplicas", "Required", _fine(autoscaling={"minReplicas": 1})
    ),
    "autoscaling whose ends are swapped": Refused(
        "spec.autoscaling",
        "raise maxReplicas, or lower minReplicas",
        _fine(resources={"requests": {"cpu": 1}}, autoscaling={"minReplicas": 4, "maxReplicas": 3}),
    ),
    "an id that the core would not take": Refused(
        "spec.federation.neuronId", PATTERN, _fine(federation={"neuronId": "a/b"})
    ),
    "a pod label with a blank": Refused(
        "spec.podTemplate.labels", "not a valid key: a b" + NO_KEY, _pods(labels={"a b": "c"})
    ),
    "a pod label of the operator's": Refused(
        "spec.podTemplate.labels",
        "are the operator's own: choose another prefix",
        _pods(labels={"app.kubernetes.io/name": "mine"}),
    ),
    "a pod label's value with a blank": Refused("spec.podTemplate.labels[]", PATTERN, _pods(labels={"a": "b c"})),
    "a pod annotation with two slashes": Refused(
        "spec.podTemplate.annotations", "not a valid key: a/b/c" + NO_KEY, _pods(annotations={"a/b/c": "d"})
    ),
    "a node selector with a blank": Refused(
        "spec.podTemplate.nodeSelector", "not a valid key: a b" + NO_KEY, _pods(nodeSelector={"a b": "c"})
    ),
    "a node selector's value with a slash": Refused(
        "spec.podTemplate.nodeSelector[]", PATTERN, _pods(nodeSelector={"zone": "a/b"})
    ),
    "a toleration of nothing in particular": Refused(
        "spec.podTemplate.tolerations[]", "set operator to Exists, or name the key", _pods(tolerations=[{"value": "a"}])
    ),
    "a toleration of any value of one": Refused(
        "spec.podTemplate.tolerations[]",
        "operator Exists takes no value",
        _pods(tolerations=[{"key": "gpu", "operator": "Exists", "value": "a"}]),
    ),
    "a toleration for a time of what never evicts": Refused(
        "spec.podTemplate.tolerations[]",
        "set the effect, or remove tolerationSeconds",
        _pods(tolerations=[{"key": "gpu", "effect": "NoSchedule", "tolerationSeconds": 5}]),
    ),
    "a toleration's value with a blank": Refused(
        "spec.podTemplate.tolerations[].value", PATTERN, _pods(tolerations=[{"key": "gpu", "value": "a b"}])
    ),
    "a toleration by comparison": Refused(
        "spec.podTemplate.tolerations[].operator",
        '"Exists", "Equal"',
        _pods(tolerations=[{"key": "a", "operator": "In"}]),
    ),
    "a toleration of an effect unknown": Refused(
        "spec.podTemplate.tolerations[].effect", "NoExecute", _pods(tolerations=[{"key": "a", "effect": "Never"}])
    ),
    "a variable with a blank": Refused("spec.podTemplate.env[].name", PATTERN, _pods(env=[{"name": "A B"}])),
    "a variable set twice": Refused("spec.podTemplate.env[]", "Duplicate", _pods(env=[{"name": "A"}, {"name": "A"}])),
    "a variable with two values": Refused(
        "spec.podTemplate.env[]",
        "variable A has both value and valueFrom: remove one",
        _pods(env=[{"name": "A", "value": "b", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
    ),
    "a variable from nowhere": Refused("spec.podTemplate.env[].valueFrom", "exactly one source", _source()),
    "a variable from two places": Refused(
        "spec.podTemplate.env[].valueFrom",
        "exactly one source: secretKeyRef, configMapKeyRef or fieldRef",
        _source(secretKeyRef={"name": "a", "key": "b"}, configMapKeyRef={"name": "a", "key": "b"}),
    ),
    "a secret that is no name": Refused(
        "spec.podTemplate.env[].valueFrom.secretKeyRef.name", PATTERN, _source(secretKeyRef={"name": "A", "key": "b"})
    ),
    "a key of a secret with a slash": Refused(
        "spec.podTemplate.env[].valueFrom.secretKeyRef.key", PATTERN, _source(secretKeyRef={"name": "a", "key": "b/c"})
    ),
    "a config map that is no name": Refused(
        "spec.podTemplate.env[].valueFrom.configMapKeyRef.name",
        PATTERN,
        _source(configMapKeyRef={"name": "A", "key": "b"}),
    ),
    "a key of a config map with a slash": Refused(
        "spec.podTemplate.env[].valueFrom.configMapKeyRef.key",
        PATTERN,
        _source(configMapKeyRef={"name": "a", "key": "b/c"}),
    ),
    "a pull secret that is no name": Refused(
        "spec.podTemplate.imagePullSecrets[].name", PATTERN, _pods(imagePullSecrets=[{"name": "A"}])
    ),
    "a service account that is no name": Refused(
        "spec.podTemplate.serviceAccountName", PATTERN, _pods(serviceAccountName="A")
    ),
    "a priority class that is no name": Refused(
        "spec.podTemplate.priorityClassName", PATTERN, _pods(priorityClassName="A")
    ),
    "a runtime class that is no name": Refused(
        "spec.podTemplate.runtimeClassName", PATTERN, _pods(runtimeClassName="A")
    ),
}

ADMITTED: Final[dict[str, Spec]] = {
    "no more than a model": _fine(),
    "a model in a claim": model("pvc://models.v1/churn/2026/m.ubj"),
    "a claim's file with a blank": model("pvc://models/my model.joblib"),
    "a claim's file with dots in its name": model("pvc://models/churn..v2.joblib"),
    "a URL with a query": model("http://models:8080/m.pt2?version=3"),
    "a file whose framework is named": model("https://example.com/m", framework="torch"),
    "a pinned version": model("https://example.com/m.json", version="2026.11+rc.1", sha256=DIGEST),
    "no replicas": _fine(replicas=0),
    "numbers as quantities": _fine(resources={"requests": {"cpu": 1, "memory": "0.5Gi"}, "limits": {"cpu": "1500m"}}),
    "a GPU as a limit": _fine(resources={"limits": {"nvidia.com/gpu": 1}}),
    "limits below what is requested by default": _fine(resources={"limits": {"cpu": "50m", "memory": "128Mi"}}),
    "the same GPU as number and text": _fine(
        resources={"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": "1"}}
    ),
    "batching and limits": _fine(
        batching={"maxSize": 1, "maxDelay": "250ms", "maxQueue": 1},
        serving={"timeout": "1h", "maxBodyBytes": 1048576},
    ),
    "a compound duration": _fine(serving={"timeout": "1m30s", "maxBodyBytes": "1Gi"}),
    "a route": _route(
        host="*.example.com", path="/a", ingressClassName="nginx", tlsSecretName="t", annotations={"a.b/c": "d e"}
    ),
    "autoscaling by a limit": _fine(
        resources={"limits": {"cpu": 1}}, autoscaling={"minReplicas": 2, "maxReplicas": 2, "targetCPU": 100}
    ),
    "another id at the core": _fine(federation={"neuronId": "Churn-1.eu_west", "capabilities": ["churn-prediction"]}),
    "everything about pods": _pods(
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
