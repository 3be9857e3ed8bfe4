"""``MLNeuron``: one model and all that serves it.

Field docstrings become ``kubectl explain``; ``Rule`` annotations become CEL rules that the API server checks at
apply time. What only the operator can know (a missing claim, a wrong digest) becomes a condition instead.
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field

from .access import AutoscalingSpec, RouteSpec
from .base import Resource, Rule
from .compute import BatchingSpec, ResourcesSpec
from .federation import FederationSpec
from .model import Framework, ModelSpec
from .names import NEURON_KIND, PRIMARY
from .pod_template import PodTemplateSpec
from .quantity import DURATION_PATTERN, amount, seconds
from .serving import ServingSpec
from .traffic import TrafficSpec
from .uri import ModelUri

__all__ = [
    "AutoscalingSpec",
    "BatchingSpec",
    "FederationSpec",
    "Framework",
    "MLNeuron",
    "MLNeuronSpec",
    "ModelSpec",
    "PodTemplateSpec",
    "Resource",
    "ResourcesSpec",
    "RouteSpec",
    "ServingSpec",
]

_NEURON_ID_LENGTH: Final = 100


class MLNeuronSpec(Resource):
    """What is wanted of the neuron."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.autoscaling) || (has(self.resources) && "
            "((has(self.resources.requests) && 'cpu' in self.resources.requests) || "
            "(has(self.resources.limits) && 'cpu' in self.resources.limits)))",
            "autoscaling needs a CPU request to take its percentage of: set resources.requests.cpu",
        ),
        Rule(
            f"![self.batching.maxDelay, self.serving.timeout].all(text, text.matches('{DURATION_PATTERN}')) || "
            "duration(self.batching.maxDelay) < duration(self.serving.timeout)",
            "'batching.maxDelay ' + self.batching.maxDelay + ' is not below serving.timeout ' + "
            "self.serving.timeout + ': every request would be late; lower it'",
            dynamic=True,
        ),
    )

    type: Literal["Serving"] = "Serving"
    """What the neuron does. Serving answers predictions."""

    model: ModelSpec
    """The model that is served."""

    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Number of pods; kubectl scale sets it. Left alone when autoscaling is set."""

    resources: ResourcesSpec = Field(default_factory=ResourcesSpec)
    """Compute resources of each pod. A nvidia.com/gpu among them chooses the GPU image. With no requests at all, 100m
    CPU and 256Mi memory are requested."""

    batching: BatchingSpec = Field(default_factory=BatchingSpec)
    """How requests that arrive together share one call of the model."""

    serving: ServingSpec = Field(default_factory=ServingSpec)
    """How a pod serves: processes, protocols, bounds, who may ask."""

    traffic: TrafficSpec = Field(default_factory=TrafficSpec)
    """How requests are told apart where variants (ModelVariant) share the traffic."""

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
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "'name ' + self.metadata.name + ' names a Service too: use a-z, 0-9 and - only, starting with a letter'",
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
        """The typed neuron of an API object. Raises ValueError (also pydantic's) naming the field."""
        meta = obj["metadata"]
        spec = MLNeuronSpec.model_validate(obj.get("spec") or {})
        check_formats(spec.model, spec.resources)
        seconds(spec.serving.timeout)
        seconds(spec.batching.max_delay)
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
    def kind(self) -> str:
        """Kind of the object that owns its children."""
        return NEURON_KIND

    @property
    def owner(self) -> str:
        """Name of the object that owns its children."""
        return self.name

    @property
    def neuron_name(self) -> str:
        """The neuron that its pods serve for: itself."""
        return self.name

    @property
    def variant(self) -> str:
        """Its own pods are the primary's."""
        return PRIMARY

    @property
    def gpu(self) -> bool:
        """Whether a pod asks for an NVIDIA GPU, whole or a slice of one."""
        return wants_gpu(self.spec.resources)

    @property
    def behind_gateway(self) -> bool:
        """Whether a Gateway brings requests, and splits them."""
        return self.spec.route is not None and self.spec.route.gateway is not None

    @property
    def neuron_id(self) -> str:
        """Id at the federation core; one too long for it ends in a digest, so that no two neurons share it."""
        full = self.spec.federation.neuron_id or f"{self.namespace}.{self.name}"
        if len(full) <= _NEURON_ID_LENGTH:
            return full
        return f"{full[:87]}-{hashlib.sha256(full.encode()).hexdigest()[:12]}"


def wants_gpu(resources: ResourcesSpec) -> bool:
    """Whether a pod asks for an NVIDIA GPU, whole or a slice of one."""
    return any(name.startswith("nvidia.com/") for name in (*resources.requests, *resources.limits))


def check_formats(model: ModelSpec, resources: ResourcesSpec) -> None:
    """Raise ValueError for a framework that nothing tells, or a uri or quantity that the schema let through."""
    model.resolved_framework()
    ModelUri.parse(model.uri)
    for field, values in (("requests", resources.requests), ("limits", resources.limits)):
        for name, quantity in values.items():
            try:
                amount(quantity)
            except ValueError as error:
                raise ValueError(f"spec.resources.{field}[{name}]: {error}") from error
