"""The status of a ``ModelVariant``: its schema, and the conditions and reasons that it has beside a neuron's."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .base import Resource
from .status import Condition, HealthStatus, ModelStatus


class VariantConditionType(StrEnum):
    """What a condition of a variant is about, beside those that a neuron has too."""

    ROLLOUT_HEALTHY = "RolloutHealthy"


class VariantReason(StrEnum):
    """Why a condition of a variant is as it is, beside a neuron's reasons; docs/spec/modelvariant.md explains each."""

    WAITING_FOR_NEURON = "WaitingForNeuron"

    TAKES_TRAFFIC = "TakesTraffic"
    SHADOWS = "Shadows"
    NO_SHARE = "NoShare"
    NOT_READY = "NotReady"
    TOO_MANY_VARIANTS = "TooManyVariants"

    STEPPING = "Stepping"
    PAUSED = "Paused"
    ABORTED = "Aborted"
    COMPLETED = "Completed"
    ROLLED_BACK = "RolledBack"


class RolloutStatus(Resource):
    """Where a rollout stands; everything that is needed to go on from here."""

    step: int | None = None
    """Number of the step that it is at, from 1."""
    steps: int | None = None
    """How many steps there are."""
    since: Annotated[str, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When the step began to take traffic."""
    verdict: str | None = None
    """What the counters say so far, in one word."""
    message: str | None = None
    """The same, with the numbers."""
    requests: int | None = None
    """Requests for the variant's subjects in this step."""
    primary_requests: int | None = None
    """Requests for the primary's subjects over the same time."""
    state: str | None = None
    """What the operator has counted, in its own words: it goes on from this after a restart."""


class VariantSummary(Resource):
    """Texts for the columns of kubectl get."""

    reason: str
    """Why it is as it is: the reason of Stalled or Reconciling while one of them holds, else of Ready."""
    replicas: str | None = None
    """Ready of wanted pods, such as 2/3."""
    traffic: str | None = None
    """The share in effect in percent."""
    step: str | None = None
    """The step of the rollout, such as 2/3."""
    verdict: str | None = None
    """What the counters say so far."""


class ModelVariantStatus(Resource):
    """What is, as the operator last saw it."""

    observed_generation: int | None = None
    """Generation that this status speaks of."""
    conditions: Annotated[
        list[Condition],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = Field(default_factory=list)
    """Ready, Reconciling, Stalled, ModelLoaded, ModelWarning, TrafficApplied, RolloutHealthy."""
    replicas: int | None = None
    """Pods that exist; what kubectl scale and an autoscaler read."""
    ready_replicas: int | None = None
    """Pods that have loaded the model and answered an inference."""
    selector: str | None = None
    """Label selector of the pods; what an autoscaler reads."""
    url: str | None = None
    """Where the variant alone answers inside the cluster."""
    model: ModelStatus | None = None
    """The model as the pods loaded it."""
    traffic: float | None = None
    """The share in effect, in percent: 0 while no pod is ready."""
    health: HealthStatus | None = None
    """Health by the federation's rules, over the variant's ready pods."""
    rollout: RolloutStatus | None = None
    """Where the rollout stands."""
    summary: VariantSummary | None = None
    """Texts for the columns of kubectl get."""
