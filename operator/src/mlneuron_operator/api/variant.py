"""``ModelVariant``: a model that competes with a neuron's own, or shadows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field

from .access import AutoscalingSpec
from .base import Resource, Rule
from .compute import ResourcesSpec
from .model import ModelSpec
from .names import PRIMARY, VARIANT_KIND, variant_name
from .neuron import MLNeuron, MLNeuronSpec, check_formats, wants_gpu
from .pod_template import PodTemplateSpec
from .quantity import seconds
from .rollout import GuardSpec, Percent, RolloutSpec

LONGEST_NAME: Final = 63


class ModelVariantSpec(Resource):
    """What is wanted of the variant."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.traffic) || has(self.rollout)",
            "neither traffic nor rollout is set: set traffic to a percentage, or rollout to its steps",
        ),
        Rule(
            "self.mode != 'Shadow' || !has(self.rollout)",
            "a Shadow answers nobody, so nothing can be rolled out: remove rollout, and set traffic",
        ),
        Rule(
            "!has(self.autoscaling) || !has(self.resources) || "
            "(has(self.resources.requests) && 'cpu' in self.resources.requests) || "
            "(has(self.resources.limits) && 'cpu' in self.resources.limits)",
            "autoscaling needs a CPU request to take its percentage of: set resources.requests.cpu",
        ),
    )

    neuron: Annotated[
        str,
        Field(min_length=1, max_length=LONGEST_NAME, pattern="^[a-z]([-a-z0-9]*[a-z0-9])?$"),
        Rule("self == oldSelf", "a variant stays with its neuron: make another ModelVariant for another neuron"),
    ]
    """The MLNeuron of the same namespace that it is a variant of."""

    model: ModelSpec
    """The model that competes."""

    mode: Literal["Split", "Shadow"] = "Split"
    """Split answers its share of the subjects. Shadow answers nobody: it is sent a copy of a share of the primary's
    requests, and its answers are compared."""

    traffic: Percent | None = None
    """Percent of the subjects (Split) or of the primary's requests (Shadow), to the hundredth. With a rollout it is the
    most that a step gives; 0 ends the rollout."""

    rollout: RolloutSpec | None = None
    """Steps by which the share grows; the share is constant when not set."""

    guard: GuardSpec = Field(default_factory=GuardSpec)
    """What must not get worse while a rollout goes on."""

    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Number of pods; kubectl scale sets it. Left alone when autoscaling is set."""

    resources: ResourcesSpec | None = None
    """Compute resources of each pod; the neuron's when not set."""

    autoscaling: AutoscalingSpec | None = None
    """Replicas by load; a fixed number when not set."""

    pod_template: PodTemplateSpec | None = None
    """What the pods need beside the model; as the neuron's when not set."""


@dataclass(frozen=True, slots=True)
class ModelVariant:
    """A model that competes with a neuron's own model for its traffic, or shadows it."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"self.metadata.name != '{PRIMARY}' && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            f"'name ' + self.metadata.name + ' names a Service too: use a-z, 0-9 and - only, and not {PRIMARY}'",
            dynamic=True,
        ),
        Rule(
            f"self.metadata.name.size() + self.spec.neuron.size() < {LONGEST_NAME}",
            "'the Service would be called ' + self.spec.neuron + '-' + self.metadata.name + "
            f"', longer than {LONGEST_NAME} characters: shorten the name'",
            dynamic=True,
        ),
    )

    name: str
    namespace: str
    uid: str
    generation: int
    created: str
    spec: ModelVariantSpec

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        """The typed variant of an API object. Raises ValueError (also pydantic's) naming the field."""
        meta = obj["metadata"]
        spec = ModelVariantSpec.model_validate(obj.get("spec") or {})
        check_formats(spec.model, spec.resources or ResourcesSpec())
        for step in spec.rollout.steps if spec.rollout else ():
            seconds(step.hold)
        return cls(
            name=meta["name"],
            namespace=meta["namespace"],
            uid=meta["uid"],
            generation=meta.get("generation", 0),
            created=meta.get("creationTimestamp", ""),
            spec=spec,
        )

    @property
    def neuron_key(self) -> tuple[str, str]:
        """(namespace, name) of its neuron."""
        return self.namespace, self.spec.neuron

    @property
    def splits(self) -> bool:
        """Whether it answers subjects."""
        return self.spec.mode == "Split"


@dataclass(frozen=True, slots=True)
class VariantWorkload:
    """A variant's pods: its own model on its own resources, served in the way of its neuron.

    Callers must not notice which of the two answers, so deadlines, tokens, bounds and protocols are the neuron's. Its
    payloads are logged by the front door, which each request passes, and not again here; but for those that a Gateway
    brings.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    owner: str
    neuron_name: str
    spec: MLNeuronSpec

    @classmethod
    def of(cls, variant: ModelVariant, neuron: MLNeuron) -> Self:
        """The pods of a variant of this neuron."""
        own, serving = variant.spec, neuron.spec.serving
        if not neuron.behind_gateway:
            serving = serving.model_copy(update={"payload_log": None})
        spec = neuron.spec.model_copy(
            update={
                "model": own.model,
                "replicas": own.replicas,
                "resources": own.resources if own.resources is not None else neuron.spec.resources,
                "pod_template": own.pod_template if own.pod_template is not None else neuron.spec.pod_template,
                "autoscaling": own.autoscaling,
                "route": None,
                "serving": serving,
            }
        )
        name = variant_name(neuron.name, variant.name)
        return cls(name, variant.namespace, variant.uid, variant.generation, variant.name, neuron.name, spec)

    @property
    def kind(self) -> str:
        """Kind of the object that owns its children."""
        return VARIANT_KIND

    @property
    def variant(self) -> str:
        """The variant's name."""
        return self.owner

    @property
    def gpu(self) -> bool:
        """Whether a pod asks for an NVIDIA GPU, whole or a slice of one."""
        return wants_gpu(self.spec.resources)
