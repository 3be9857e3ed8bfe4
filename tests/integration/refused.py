"""Specs that the CRD refuses, each with the field and the words of the refusal."""

from typing import Final, NamedTuple

from .specs import DIGEST, Spec, column, fine, logged, model, pods, route, serving, source

TIMEOUT_RANGE: Final = "choose at least 1ms and at most 1h"
NO_DURATION: Final = "is not a duration: write numbers with ms, s, m or h"
NO_QUANTITY: Final = "is not a quantity: write a number with a suffix"
NO_KEY: Final = "; write NAME or DOMAIN/NAME"
UNKNOWN_RESOURCE: Final = ": write cpu, memory, ephemeral-storage, or a full name such as nvidia.com/gpu"
GATEWAY: Final = {"parentRefs": [{"name": "public"}]}
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


REFUSED: Final[dict[str, Refused]] = {
    "a name with a dot": Refused(WHOLE, "names a Service too", fine(), "a.b"),
    "a name that starts with a digit": Refused(WHOLE, "starting with a letter", fine(), "1st"),
    "a name longer than a label": Refused("metadata.name", "more than 63", fine(), "n" * 64),
    "no model": Refused("spec.model", "Required", {"replicas": 1}),
    "a model without a uri": Refused("spec.model.uri", "Required", {"model": {"framework": "torch"}}),
    "a type that nothing serves": Refused("spec.type", 'supported values: "Serving"', fine(type="Training")),
    "a uri scheme that nothing fetches": Refused(
        "spec.model.uri", "uri is ftp://host/m.joblib: write pvc://CLAIM/PATH", model("ftp://host/m.joblib")
    ),
    "a claim without a path": Refused("spec.model.uri", "write pvc://CLAIM/PATH", model("pvc://models")),
    "a claim that is no name": Refused("spec.model.uri", "write pvc://CLAIM/PATH", model("pvc://Models/m.joblib")),
    "a URL without a host": Refused("spec.model.uri", "https://HOST/PATH", model("https:///m.joblib")),
    "a bucket without a key": Refused("spec.model.uri", "s3://BUCKET/KEY", model("s3://bucket")),
    "an image without a tag": Refused(
        "spec.model.uri", "oci://REGISTRY/IMAGE:TAG/PATH", model("oci://registry.example.com/churn/model.joblib")
    ),
    "an image without a registry": Refused("spec.model.uri", "oci://REGISTRY/IMAGE", model("oci://churn:v1/m.joblib")),
    "an image without a path in it": Refused("spec.model.uri", "oci://REGISTRY", model("oci://ghcr.io/a/churn:1.0")),
    "an image by half a digest": Refused(
        "spec.model.uri", "oci://REGISTRY", model("oci://ghcr.io/a/churn@sha256:9f86d081/m.joblib")
    ),
    "a registered model without a version": Refused("spec.model.uri", "models:/NAME@ALIAS", model("models:/churn")),
    "a registered model by a stage": Refused(
        "spec.model.uri", "models:/NAME/VERSION", model("models:/churn/Production")
    ),
    "a registered model with a host": Refused("spec.model.uri", "models:/NAME", model("models://mlflow/churn/1")),
    "a file of the image by a relative path": Refused("spec.model.uri", "file:///PATH", model("file://models/m.onnx")),
    "a registered model as something else": Refused(
        "spec.model",
        "set framework to mlflow, or leave it out",
        model("models:/churn/1", framework="sklearn"),
    ),
    "a folder over HTTP": Refused(
        "spec.model", "which HTTP can't list", model("https://example.com/churn/", framework="mlflow")
    ),
    "credentials for what is mounted": Refused(
        "spec.model",
        "credentials are for a model that is fetched",
        model("pvc://models/m.joblib", credentials={"secretName": "reader"}),
    ),
    "credentials that are no name": Refused(
        "spec.model.credentials.secretName", PATTERN, model("s3://b/m.joblib", credentials={"secretName": "A"})
    ),
    "credentials without a Secret": Refused(
        "spec.model.credentials.secretName", "Required", model("s3://b/m.joblib", credentials={})
    ),
    "a cache that is no claim": Refused(
        "spec.model.cache.claimName", PATTERN, model("s3://b/m.joblib", cache={"claimName": "A"})
    ),
    "an acceleration by force": Refused(
        "spec.model.acceleration", '"Auto", "Off"', model("s3://b/m.joblib", acceleration="On")
    ),
    "no inputs at all": Refused("spec.model.inputs", "at least 1 items", model("s3://b/m.joblib", inputs=[])),
    "an input without a name": Refused("spec.model.inputs[].name", "Required", column(datatype="FP64")),
    "an input of numpy's type": Refused(
        "spec.model.inputs[].datatype", '"FP64", "BYTES"', column(name="a", datatype="float64")
    ),
    "an input of a shape that varies": Refused(
        "spec.model.inputs[].shape[]", "greater than or equal to 1", column(name="a", shape=[-1])
    ),
    "an input twice": Refused(
        "spec.model.inputs[]", "Duplicate", model("s3://b/m.joblib", inputs=[{"name": "a"}, {"name": "a"}])
    ),
    "a folder": Refused(
        "spec.model",
        "uri is pvc://models/churn/, a folder: name the model file in it",
        model("pvc://models/churn/", framework="sklearn"),
    ),
    "a folder over a URL's query": Refused(
        "spec.model", "a folder: name the model file", model("https://example.com/churn/?v=1", framework="sklearn")
    ),
    "a uri that climbs out of its claim": Refused(
        "spec.model.uri", "remove the . and .. parts", model("pvc://models/../m.joblib")
    ),
    "a uri with a password": Refused(
        "spec.model.uri", "must not hold credentials", model("https://me:secret@example.com/m.joblib")
    ),
    "a URL with a blank": Refused("spec.model.uri", "write %20 for each", model("https://example.com/a m.joblib")),
    "a URL with a line break": Refused("spec.model.uri", "write %20", model("https://example.com/m.joblib\n")),
    "a file whose framework nothing tells": Refused(
        "spec.model", "set framework to sklearn, xgboost, torch, onnx or mlflow", model("https://example.com/m.bin")
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
    "fewer than no replicas": Refused("spec.replicas", "greater than or equal to 0", fine(replicas=-1)),
    "too many replicas": Refused("spec.replicas", "less than or equal to 1000", fine(replicas=1001)),
    "a request that is no quantity": Refused(
        "spec.resources.requests[]", "one gig " + NO_QUANTITY, fine(resources={"requests": {"memory": "one gig"}})
    ),
    "a limit that is no quantity": Refused(
        "spec.resources.limits[]", "1GB " + NO_QUANTITY, fine(resources={"limits": {"memory": "1GB"}})
    ),
    "a limit below zero": Refused(
        "spec.resources.limits[]", "-1 " + NO_QUANTITY, fine(resources={"limits": {"cpu": -1}})
    ),
    "a request for a short name": Refused(
        "spec.resources.requests", "unknown resource gpu" + UNKNOWN_RESOURCE, fine(resources={"requests": {"gpu": 1}})
    ),
    "huge pages": Refused(
        "spec.resources.requests", "unknown resource hugepages-2Mi", fine(resources={"requests": {"hugepages-2Mi": 1}})
    ),
    "a limit on a short name": Refused(
        "spec.resources.limits", "unknown resource ram" + UNKNOWN_RESOURCE, fine(resources={"limits": {"ram": "1Gi"}})
    ),
    "a request for half a GPU": Refused(
        "spec.resources.requests", WHOLE_PIECES, fine(resources={"requests": {"nvidia.com/gpu": "500m"}})
    ),
    "a limit of half a GPU": Refused(
        "spec.resources.limits", WHOLE_PIECES, fine(resources={"limits": {"nvidia.com/gpu": "0.5"}})
    ),
    "an overcommitted GPU": Refused(
        "spec.resources",
        "give it the same number in requests and limits",
        fine(resources={"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 2}}),
    ),
    "a request above its limit": Refused(
        "spec.resources",
        "lower it in requests, or raise it in limits",
        fine(resources={"requests": {"memory": "2Gi"}, "limits": {"memory": "1500M"}}),
    ),
    "a batch of nothing": Refused("spec.batching.maxSize", "greater than or equal to 1", fine(batching={"maxSize": 0})),
    "a delay without a unit": Refused("spec.batching.maxDelay", "5 " + NO_DURATION, fine(batching={"maxDelay": "5"})),
    "a delay as long as the deadline": Refused(
        "spec",
        "batching.maxDelay 10s is not below serving.timeout 10s",
        fine(batching={"maxDelay": "10s"}),
    ),
    "no processes": Refused("spec.serving.workers", "workers is 0: write auto, or a whole number", serving(workers=0)),
    "a number of processes as a text": Refused(
        "spec.serving.workers", "workers is 4: write auto", serving(workers="4")
    ),
    "processes of a text": Refused("spec.serving.workers", PATTERN, serving(workers="all")),
    "too many processes": Refused("spec.serving.workers", "from 1 to 64", serving(workers=65)),
    "gRPC by a word": Refused("spec.serving.grpc", "must be of type boolean", serving(grpc="yes")),
    "callers of no Secret": Refused("spec.serving.auth.secretName", "Required", serving(auth={"key": "tokens"})),
    "callers of a Secret that is no name": Refused(
        "spec.serving.auth.secretName", PATTERN, serving(auth={"secretName": "A"})
    ),
    "tokens under a path": Refused("spec.serving.auth.key", PATTERN, serving(auth={"secretName": "a", "key": "a/b"})),
    "a log without a collector": Refused(
        "spec.serving.payloadLog.url", "Required", serving(payloadLog={"mode": "All"})
    ),
    "a log to a broker": Refused("spec.serving.payloadLog.url", PATTERN, logged(url="kafka://broker/topic")),
    "a log with a password": Refused(
        "spec.serving.payloadLog", "must not hold credentials", logged(url="https://me:secret@collector/events")
    ),
    "a share without a unit": Refused(
        "spec.serving.payloadLog.sample", "0.1 is not a share: write a percentage", logged(sample="0.1")
    ),
    "a share above all": Refused("spec.serving.payloadLog.sample", "is not a share", logged(sample="101%")),
    "a share that YAML reads as a number": Refused(
        "spec.serving.payloadLog.sample", "must be of type string", logged(sample=0.1)
    ),
    "a log of something else": Refused(
        "spec.serving.payloadLog.mode", '"All", "Request", "Response"', logged(mode="Headers")
    ),
    "a redacted field without a name": Refused(
        "spec.serving.payloadLog.redact[]", "at least 1 chars long", logged(redact=[""])
    ),
    "a deadline in days": Refused("spec.serving.timeout", "1d " + NO_DURATION, fine(serving={"timeout": "1d"})),
    "a deadline of nothing": Refused("spec.serving.timeout", TIMEOUT_RANGE, fine(serving={"timeout": "0s"})),
    "a deadline of hours": Refused("spec.serving.timeout", TIMEOUT_RANGE, fine(serving={"timeout": "61m"})),
    "a deadline that rounds to nothing": Refused(
        "spec.serving.timeout", TIMEOUT_RANGE, fine(serving={"timeout": "0.0001ms"})
    ),
    "a body size in words": Refused(
        "spec.serving.maxBodyBytes", "4MB " + NO_QUANTITY, fine(serving={"maxBodyBytes": "4MB"})
    ),
    "a body of nothing": Refused(
        "spec.serving.maxBodyBytes", "maxBodyBytes is 0: choose", fine(serving={"maxBodyBytes": 0})
    ),
    "a body of half a byte": Refused(
        "spec.serving.maxBodyBytes", "maxBodyBytes is 500m: choose", fine(serving={"maxBodyBytes": "500m"})
    ),
    "a body that fills the pod": Refused(
        "spec.serving.maxBodyBytes", "from 1 to 1Gi", fine(serving={"maxBodyBytes": "2Gi"})
    ),
    "subjects of a header with a blank": Refused(
        "spec.traffic.subjectHeader", PATTERN, fine(traffic={"subjectHeader": "X User"})
    ),
    "subjects of a field without a name": Refused(
        "spec.traffic.subjectField", "at least 1 chars long", fine(traffic={"subjectField": ""})
    ),
    "a route without a host": Refused("spec.route.host", "Required", fine(route={"path": "/"})),
    "a route to a URL": Refused("spec.route.host", PATTERN, route(host="https://churn.example.com")),
    "a route to an address": Refused("spec.route.host", "write a host name", route(host="10.0.0.1")),
    "a Gateway beside an ingress class": Refused(
        "spec.route", "remove them, or gateway", route(gateway=GATEWAY, ingressClassName="nginx")
    ),
    "a Gateway beside a certificate": Refused(
        "spec.route", "remove them, or gateway", route(gateway=GATEWAY, tlsSecretName="churn-tls")
    ),
    "a Gateway that is none": Refused(
        "spec.route.gateway.parentRefs", "at least 1 items", route(gateway={"parentRefs": []})
    ),
    "a Gateway without a name": Refused(
        "spec.route.gateway.parentRefs[].name", "Required", route(gateway={"parentRefs": [{}]})
    ),
    "a Gateway that is no name": Refused(
        "spec.route.gateway.parentRefs[].name", PATTERN, route(gateway={"parentRefs": [{"name": "A"}]})
    ),
    "a Gateway's namespace that is no name": Refused(
        "spec.route.gateway.parentRefs[].namespace",
        PATTERN,
        route(gateway={"parentRefs": [{"name": "a", "namespace": "a/b"}]}),
    ),
    "a Gateway's listener that is no name": Refused(
        "spec.route.gateway.parentRefs[].sectionName",
        PATTERN,
        route(gateway={"parentRefs": [{"name": "a", "sectionName": "A"}]}),
    ),
    "a Gateway's port that is none": Refused(
        "spec.route.gateway.parentRefs[].port",
        "less than or equal to 65535",
        route(gateway={"parentRefs": [{"name": "a", "port": 70000}]}),
    ),
    "a path that is not absolute": Refused("spec.route.path", PATTERN, route(path="churn")),
    "an ingress class that is no name": Refused("spec.route.ingressClassName", PATTERN, route(ingressClassName="A")),
    "a certificate that is no name": Refused("spec.route.tlsSecretName", PATTERN, route(tlsSecretName="a/b")),
    "an ingress annotation with a blank": Refused(
        "spec.route.annotations", "not a valid key: a b" + NO_KEY, route(annotations={"a b": "c"})
    ),
    "autoscaling of pods that reserve no CPU": Refused(
        "spec", "set resources.requests.cpu", fine(autoscaling={"maxReplicas": 3})
    ),
    "autoscaling without an end": Refused(
        "spec.autoscaling.maxReplicas", "Required", fine(autoscaling={"minReplicas": 1})
    ),
    "autoscaling whose ends are swapped": Refused(
        "spec.autoscaling",
        "raise maxReplicas, or lower minReplicas",
        fine(resources={"requests": {"cpu": 1}}, autoscaling={"minReplicas": 4, "maxReplicas": 3}),
    ),
    "an id that the core would not take": Refused(
        "spec.federation.neuronId", PATTERN, fine(federation={"neuronId": "a/b"})
    ),
    "a pod label with a blank": Refused(
        "spec.podTemplate.labels", "not a valid key: a b" + NO_KEY, pods(labels={"a b": "c"})
    ),
    "a pod label of the operator's": Refused(
        "spec.podTemplate.labels",
        "are the operator's own: choose another prefix",
        pods(labels={"app.kubernetes.io/name": "mine"}),
    ),
    "a pod label's value with a blank": Refused("spec.podTemplate.labels[]", PATTERN, pods(labels={"a": "b c"})),
    "a pod annotation with two slashes": Refused(
        "spec.podTemplate.annotations", "not a valid key: a/b/c" + NO_KEY, pods(annotations={"a/b/c": "d"})
    ),
    "a node selector with a blank": Refused(
        "spec.podTemplate.nodeSelector", "not a valid key: a b" + NO_KEY, pods(nodeSelector={"a b": "c"})
    ),
    "a node selector's value with a slash": Refused(
        "spec.podTemplate.nodeSelector[]", PATTERN, pods(nodeSelector={"zone": "a/b"})
    ),
    "a toleration of nothing in particular": Refused(
        "spec.podTemplate.tolerations[]", "set operator to Exists, or name the key", pods(tolerations=[{"value": "a"}])
    ),
    "a toleration of any value of one": Refused(
        "spec.podTemplate.tolerations[]",
        "operator Exists takes no value",
        pods(tolerations=[{"key": "gpu", "operator": "Exists", "value": "a"}]),
    ),
    "a toleration for a time of what never evicts": Refused(
        "spec.podTemplate.tolerations[]",
        "set the effect, or remove tolerationSeconds",
        pods(tolerations=[{"key": "gpu", "effect": "NoSchedule", "tolerationSeconds": 5}]),
    ),
    "a toleration's value with a blank": Refused(
        "spec.podTemplate.tolerations[].value", PATTERN, pods(tolerations=[{"key": "gpu", "value": "a b"}])
    ),
    "a toleration by comparison": Refused(
        "spec.podTemplate.tolerations[].operator",
        '"Exists", "Equal"',
        pods(tolerations=[{"key": "a", "operator": "In"}]),
    ),
    "a toleration of an effect unknown": Refused(
        "spec.podTemplate.tolerations[].effect", "NoExecute", pods(tolerations=[{"key": "a", "effect": "Never"}])
    ),
    "a variable with a blank": Refused("spec.podTemplate.env[].name", PATTERN, pods(env=[{"name": "A B"}])),
    "a variable set twice": Refused("spec.podTemplate.env[]", "Duplicate", pods(env=[{"name": "A"}, {"name": "A"}])),
    "a variable with two values": Refused(
        "spec.podTemplate.env[]",
        "variable A has both value and valueFrom: remove one",
        pods(env=[{"name": "A", "value": "b", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
    ),
    "a variable from nowhere": Refused("spec.podTemplate.env[].valueFrom", "exactly one source", source()),
    "a variable from two places": Refused(
        "spec.podTemplate.env[].valueFrom",
        "exactly one source: secretKeyRef, configMapKeyRef or fieldRef",
        source(secretKeyRef={"name": "a", "key": "b"}, configMapKeyRef={"name": "a", "key": "b"}),
    ),
    "a secret that is no name": Refused(
        "spec.podTemplate.env[].valueFrom.secretKeyRef.name", PATTERN, source(secretKeyRef={"name": "A", "key": "b"})
    ),
    "a key of a secret with a slash": Refused(
        "spec.podTemplate.env[].valueFrom.secretKeyRef.key", PATTERN, source(secretKeyRef={"name": "a", "key": "b/c"})
    ),
    "a config map that is no name": Refused(
        "spec.podTemplate.env[].valueFrom.configMapKeyRef.name",
        PATTERN,
        source(configMapKeyRef={"name": "A", "key": "b"}),
    ),
    "a key of a config map with a slash": Refused(
        "spec.podTemplate.env[].valueFrom.configMapKeyRef.key",
        PATTERN,
        source(configMapKeyRef={"name": "a", "key": "b/c"}),
    ),
    "a pull secret that is no name": Refused(
        "spec.podTemplate.imagePullSecrets[].name", PATTERN, pods(imagePullSecrets=[{"name": "A"}])
    ),
    "a service account that is no name": Refused(
        "spec.podTemplate.serviceAccountName", PATTERN, pods(serviceAccountName="A")
    ),
    "a priority class that is no name": Refused(
        "spec.podTemplate.priorityClassName", PATTERN, pods(priorityClassName="A")
    ),
    "a runtime class that is no name": Refused(
        "spec.podTemplate.runtimeClassName", PATTERN, pods(runtimeClassName="A")
    ),
}
