"""``MLNeuron``: one model and all that serves it.

Field docstrings become ``kubectl explain``; ``Rule`` annotations become CEL rules that the API server checks at
apply time. What only the operator can know (a missing claim, a wrong digest) becomes a condition instead.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from .quantity import DURATION_PATTERN, QUANTITY_PATTERN, amount, seconds


class Rule(NamedTuple):
    """A CEL rule of the CRD: refused with ``message`` (a CEL string expression when ``dynamic``) unless it holds."""

    rule: str
    message: str
    dynamic: bool = False


class Resource(BaseModel):
    """Base of every typed part: camelCase in YAML, immutable in Python, its docstrings the CRD's descriptions."""

    RULES: ClassVar[tuple[Rule, ...]] = ()

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )


Quantity = Annotated[int | str, Field(pattern=QUANTITY_PATTERN)]
Quantities = Annotated[dict[str, int | str], Field(max_length=16)]
Duration = Annotated[str, Field(pattern=DURATION_PATTERN, max_length=32)]
Framework = Literal["sklearn", "xgboost", "torch"]
Text = Annotated[str, Field(max_length=1024)]
Opaque = Annotated[dict[str, Any], Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})]

_SUFFIX_FRAMEWORK: Final[dict[str, Framework]] = {
    ".joblib": "sklearn",
    ".pkl": "sklearn",
    ".pickle": "sklearn",
    ".json": "xgboost",
    ".ubj": "xgboost",
    ".pt": "torch",
    ".pth": "torch",
    ".pt2": "torch",
}
_SUFFIXES: Final = "|".join(suffix[1:] for suffix in _SUFFIX_FRAMEWORK)


class ModelSpec(Resource):
    """The model that the neuron serves."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            rf"has(self.framework) || self.uri.matches('[.]({_SUFFIXES})([?#].*)?$')",
            "framework is not set and the end of uri does not tell it: set framework to sklearn, xgboost or torch",
        ),
    )

    uri: Annotated[
        str,
        Field(min_length=8, max_length=2048),
        Rule(
            "self.matches('^pvc://[a-z0-9][-a-z0-9.]*/.+') || self.matches('^https?://[^/]+/.+')",
            "'uri is ' + self + ': write pvc://CLAIM/PATH, http://HOST/PATH or https://HOST/PATH'",
            dynamic=True,
        ),
        Rule(
            "!self.startsWith('pvc://') || !self.matches('/[.][.](/|$)')",
            "uri must not climb out of its claim: remove the .. parts",
        ),
        Rule(
            "!self.matches('^https?://[^/]*@')",
            "uri must not hold credentials: leave out the part before @",
        ),
    ]
    """Where the model file is: pvc://CLAIM/PATH (a PersistentVolumeClaim of the same namespace, mounted read-only), or http(s)://HOST/PATH (fetched before the pod starts)."""

    framework: Framework | None = None
    """What made the file: sklearn (joblib), xgboost (JSON or UBJ) or torch (TorchScript or torch.export). Told from the end of uri when not set: .joblib .pkl .pickle, .json .ubj, .pt .pth .pt2."""

    version: (
        Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")] | None
    ) = None
    """Version that is shown, reported and answered with each prediction; the start of the file's digest when not set."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """SHA-256 of the model file in lower-case hex. A file with another digest is never loaded."""

    def resolved_framework(self) -> Framework:
        """The framework as set, or as the end of the uri tells. Raises ValueError when neither does."""
        if self.framework is not None:
            return self.framework
        match = re.search(rf"(\.({_SUFFIXES}))([?#].*)?$", self.uri)
        if match is None:
            raise ValueError(f"spec.model.framework is not set and {self.uri!r} does not tell it; set it")
        return _SUFFIX_FRAMEWORK[match[1]]


class ResourcesSpec(Resource):
    """Compute resources of each pod."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.requests) || !has(self.limits) || self.requests.all(name, !name.contains('/') || !(name in self.limits) "
            "|| string(self.requests[name]) == string(self.limits[name]))",
            "an extended resource such as nvidia.com/gpu can't be overcommitted: give it the same number in requests and limits",
        ),
    )

    requests: Quantities = Field(default_factory=dict)
    """What is reserved for each pod, by resource name: cpu, memory, nvidia.com/gpu. A GPU may be named in requests or in limits; the other is filled in."""

    limits: Quantities = Field(default_factory=dict)
    """What each pod may use at most, by resource name."""


class BatchingSpec(Resource):
    """How requests that arrive together share one call of the model."""

    max_size: Annotated[int, Field(ge=1, le=4096)] = 32
    """Most rows in one call of the model."""

    max_delay: Duration = "0ms"
    """How long a request may wait for others. 0ms waits for nobody: what arrives while the model is busy forms the next batch."""

    max_queue: Annotated[int, Field(ge=1, le=1048576)] = 1024
    """Most requests waiting in a pod; one more is answered 503 with Retry-After."""


class ServingSpec(Resource):
    """Limits of the HTTP server."""

    timeout: Annotated[
        Duration,
        Rule(
            "duration(self) > duration('0s') && duration(self) <= duration('1h')",
            "'timeout is ' + self + ': choose more than 0s and at most 1h'",
            dynamic=True,
        ),
    ] = "10s"
    """Deadline of a request; past it the answer is 504."""

    max_body_bytes: Quantity = "4Mi"
    """Largest request body; a larger one is answered 413."""


class RouteSpec(Resource):
    """The way in from outside the cluster, as an Ingress."""

    host: Annotated[
        str,
        Field(
            max_length=253,
            pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        ),
    ]
    """Host name that the Ingress answers to."""

    path: Annotated[str, Field(max_length=1024, pattern=r"^/.*$")] = "/"
    """Path prefix that is sent to the neuron; it is not stripped, so anything but / needs an ingress class that rewrites."""

    ingress_class_name: Annotated[str, Field(max_length=253)] | None = None
    """Ingress class; the cluster's default class when not set."""

    tls_secret_name: Annotated[str, Field(max_length=253)] | None = None
    """Secret that holds the certificate of host; plain HTTP when not set."""

    annotations: Annotated[dict[str, Text], Field(max_length=64)] = Field(default_factory=dict)
    """Annotations of the Ingress, such as a certificate issuer's or the controller's own settings."""


class AutoscalingSpec(Resource):
    """Replicas by load, as a HorizontalPodAutoscaler; spec.replicas is then left alone."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.maxReplicas >= self.minReplicas",
            "'maxReplicas ' + string(self.maxReplicas) + ' is below minReplicas ' + string(self.minReplicas) + ': raise it'",
            dynamic=True,
        ),
    )

    min_replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    """Fewest pods."""

    max_replicas: Annotated[int, Field(ge=1, le=1000)]
    """Most pods."""

    target_cpu: Annotated[int, Field(ge=1, le=1000, alias="targetCPU")] = 70
    """Average CPU use that is aimed at, in percent of the CPU request."""


class FederationSpec(Resource):
    """The neuron's entry at the federation core."""

    enabled: bool = True
    """Whether the neuron is registered and reported."""

    neuron_id: (
        Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] | None
    ) = None
    """Id at the core; NAMESPACE.NAME when not set. An id is registered once and for ever: a token kept by the operator is what lets it report again."""

    capabilities: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=64)] = Field(
        default_factory=list
    )
    """What the neuron says it can do, such as churn-prediction."""


class Toleration(Resource):
    """A taint that the pods tolerate, as in a pod's spec."""

    key: Annotated[str, Field(max_length=316)] | None = None
    """Key of the taint; every taint when not set and operator is Exists."""
    operator: Literal["Exists", "Equal"] | None = None
    """How value is compared; Equal when not set."""
    value: Annotated[str, Field(max_length=63)] | None = None
    """Value of the taint."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; every effect when not set."""
    toleration_seconds: int | None = None
    """How long a NoExecute taint is tolerated, in seconds."""


class EnvVar(Resource):
    """An environment variable of the runtime container, as in a pod's spec."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the variable."""
    value: Annotated[str, Field(max_length=32768)] | None = None
    """Its value."""
    value_from: Opaque | None = None
    """Where its value comes from: secretKeyRef, configMapKeyRef, fieldRef or resourceFieldRef."""


class SecretName(Resource):
    """A Secret of the same namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Its name."""


class PodTemplateSpec(Resource):
    """What the pods need beside the model: placement, environment, credentials. Security settings are not among it: pods always meet the restricted Pod Security Standard."""

    labels: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=64)] = Field(
        default_factory=dict
    )
    """Further labels of the pods; the operator's own win."""
    annotations: Annotated[dict[str, Text], Field(max_length=64)] = Field(default_factory=dict)
    """Further annotations of the pods."""
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=64)] = Field(
        default_factory=dict
    )
    """Labels that a node must have."""
    tolerations: Annotated[list[Toleration], Field(max_length=64)] = Field(default_factory=list)
    """Taints that the pods tolerate."""
    affinity: Opaque | None = None
    """Affinity, as in a pod's spec."""
    env: Annotated[
        list[EnvVar],
        Field(
            max_length=128,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(default_factory=list)
    """Environment variables of the runtime and of the step that fetches the model."""
    image_pull_secrets: Annotated[
        list[SecretName],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(default_factory=list)
    """Secrets with which images are pulled."""
    service_account_name: Annotated[str, Field(max_length=253)] | None = None
    """ServiceAccount of the pods; one of the neuron's own, without any right, when not set."""
    priority_class_name: Annotated[str, Field(max_length=253)] | None = None
    """Priority class of the pods."""
    runtime_class_name: Annotated[str, Field(max_length=253)] | None = None
    """Runtime class of the pods, such as nvidia."""


class MLNeuronSpec(Resource):
    """What is wanted of the neuron."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.autoscaling) || (has(self.resources) && ((has(self.resources.requests) && 'cpu' in self.resources.requests) "
            "|| (has(self.resources.limits) && 'cpu' in self.resources.limits)))",
            "autoscaling needs a CPU request to take its percentage of: set resources.requests.cpu",
        ),
    )

    type: Literal["Serving"] = "Serving"
    """What the neuron does. Serving answers predictions."""

    model: ModelSpec
    """The model that is served."""

    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Number of pods; kubectl scale sets it. Left alone when autoscaling is set."""

    resources: ResourcesSpec = Field(default_factory=ResourcesSpec)
    """Compute resources of each pod. A nvidia.com/gpu among them chooses the GPU image. With no requests at all, 100m CPU and 256Mi memory are requested."""

    batching: BatchingSpec = Field(default_factory=BatchingSpec)
    """How requests that arrive together share one call of the model."""

    serving: ServingSpec = Field(default_factory=ServingSpec)
    """Limits of the HTTP server."""

    route: RouteSpec | None = None
    """The way in from outside the cluster; none when not set."""

    autoscaling: AutoscalingSpec | None = None
    """Replicas by load; a fixed number when not set."""

    federation: FederationSpec = Field(default_factory=FederationSpec)
    """The neuron's entry at the federation core."""

    pod_template: PodTemplateSpec = Field(default_factory=PodTemplateSpec)
    """What the pods need beside the model: placement, environment, credentials."""


@dataclass(frozen=True, slots=True)
class MLNeuron:
    """A model neuron of the Findawise Empire Federation: one model and all that serves it."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && self.metadata.name.size() <= 63",
            "'name ' + self.metadata.name + ' names a Service too: use at most 63 of a-z, 0-9 and -, starting with a letter'",
            dynamic=True,
        ),
    )

    name: str
    namespace: str
    uid: str
    generation: int
    spec: MLNeuronSpec

    @classmethod
    def parse(cls, obj: dict[str, Any]) -> Self:
        """The typed neuron of an API object. Raises pydantic.ValidationError naming the field."""
        meta = obj["metadata"]
        spec = MLNeuronSpec.model_validate(obj.get("spec") or {})
        spec.model.resolved_framework()
        _check_formats(spec)
        return cls(
            name=meta["name"],
            namespace=meta["namespace"],
            uid=meta["uid"],
            generation=meta.get("generation", 0),
            spec=spec,
        )

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.namespace, self.name

    @property
    def gpu(self) -> bool:
        """Whether a pod asks for an NVIDIA GPU, whole or a slice of one."""
        resources = self.spec.resources
        return any(name.startswith("nvidia.com/") for name in (*resources.requests, *resources.limits))

    @property
    def neuron_id(self) -> str:
        """Id at the federation core."""
        return self.spec.federation.neuron_id or f"{self.namespace}.{self.name}"[:100]


def _check_formats(spec: MLNeuronSpec) -> None:
    """Raise ValueError for a quantity or duration that the schema's pattern let through."""
    for field, values in (("requests", spec.resources.requests), ("limits", spec.resources.limits)):
        for name, quantity in values.items():
            try:
                amount(quantity)
            except ValueError as error:
                raise ValueError(f"spec.resources.{field}[{name}]: {error}") from error
    seconds(spec.serving.timeout)
    seconds(spec.batching.max_delay)
