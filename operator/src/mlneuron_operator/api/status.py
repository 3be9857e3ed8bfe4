"""The status of an ``MLNeuron``: its schema, its conditions, and the reasons that they can give."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from .base import Resource


class ConditionType(StrEnum):
    """What a condition is about. Reconciling, Stalled (kstatus) and ModelWarning are present only while
    True, TrafficApplied only with variants or a Gateway."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    MODEL_LOADED = "ModelLoaded"
    MODEL_WARNING = "ModelWarning"
    TRAFFIC_APPLIED = "TrafficApplied"
    FEDERATION_READY = "FederationReady"


class Reason(StrEnum):
    """Why a condition is as it is; docs/spec/mlneuron.md says of each what it means and what mends it."""

    SERVING = "Serving"
    SCALED_TO_ZERO = "ScaledToZero"
    CREATING = "Creating"
    ROLLING_OUT = "RollingOut"
    SCALING = "Scaling"
    RECOVERING = "Recovering"
    MODEL_LOADED = "ModelLoaded"
    MODEL_LOADING = "ModelLoading"
    NOT_SERVING = "NotServing"

    SPEC_INVALID = "SpecInvalid"
    NAME_TAKEN = "NameTaken"
    CHILD_REFUSED = "ChildRefused"
    PODS_REFUSED = "PodsRefused"
    UNSCHEDULABLE = "Unschedulable"
    GPU_UNAVAILABLE = "GPUUnavailable"
    VOLUME_UNAVAILABLE = "VolumeUnavailable"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    CONTAINER_CONFIG_INVALID = "ContainerConfigInvalid"
    OUT_OF_MEMORY = "OutOfMemory"
    CRASH_LOOP = "CrashLoop"
    NO_PROGRESS = "NoProgress"

    CONFIG_INVALID = "ConfigInvalid"
    MODEL_NOT_FOUND = "ModelNotFound"
    MODEL_FETCH_FAILED = "ModelFetchFailed"
    MODEL_DIGEST_MISMATCH = "ModelDigestMismatch"
    MODEL_LOAD_FAILED = "ModelLoadFailed"
    MODEL_WARMUP_FAILED = "ModelWarmupFailed"
    MODEL_SIGNATURE_MISMATCH = "ModelSignatureMismatch"

    VERSION_SKEW = "VersionSkew"
    GATEWAY_API_MISSING = "GatewayAPIMissing"


class TrafficReason(StrEnum):
    """Why the condition TrafficApplied is as it is; docs/spec/mlneuron.md explains each."""

    APPLIED = "Applied"
    SPREADING = "Spreading"
    SHARES_EXCEED_100 = "SharesExceed100"
    TOO_MANY_VARIANTS = "TooManyVariants"
    PRIMARY_DOWN = "PrimaryDown"
    TABLE_REFUSED = "TableRefused"
    ROUTE_PENDING = "RoutePending"
    ROUTE_REFUSED = "RouteRefused"
    GATEWAY_API_MISSING = "GatewayAPIMissing"


RUNTIME_REASONS = frozenset(
    {
        Reason.CONFIG_INVALID,
        Reason.MODEL_NOT_FOUND,
        Reason.MODEL_FETCH_FAILED,
        Reason.MODEL_DIGEST_MISMATCH,
        Reason.MODEL_LOAD_FAILED,
        Reason.MODEL_WARMUP_FAILED,
        Reason.MODEL_SIGNATURE_MISMATCH,
    }
)
"""Reasons that the runtime itself gives, in its pod's termination message."""


class Condition(Resource):
    """One condition, as in metav1.Condition."""

    type: Annotated[str, Field(max_length=316)]
    """What it is about."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, in one word."""
    message: Annotated[str, Field(max_length=32768)]
    """Why, for a person: what is wrong, and what mends it."""
    last_transition_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    """When status last changed."""
    observed_generation: int
    """Generation of the neuron that it speaks of."""


class ModelStatus(Resource):
    """The model as the pods loaded it."""

    version: str | None = None
    """Version that is served."""
    digest: str | None = None
    """SHA-256 of the file that is served, in hex."""
    framework: str | None = None
    """Framework that made it."""
    engine: str | None = None
    """What runs it: the framework, or the faster engine that answers as it does, such as onnxruntime."""
    engine_reason: str | None = None
    """Why that engine runs it, such as what keeps the model from a faster one."""


class TrafficShare(Resource):
    """The share of one model in the traffic."""

    variant: str
    """primary, or a variant's name."""
    percent: float
    """Percent of the subjects."""


class HealthStatus(Resource):
    """Health by the federation's rules, over the neuron's ready pods."""

    score: Annotated[int, Field(ge=0, le=100)]
    """100 healthy, 80 slow (over 1 s on average), 70 failing (under 90 % answered), 0 nothing serves. The worst pod
    counts."""
    status: Literal["healthy", "unhealthy"]
    """healthy above 50."""
    message: str | None = None
    """What keeps it from 100."""
    requests: Annotated[int, Field(ge=0)] | None = None
    """Requests over five minutes, of all ready pods; looked at every five minutes, to spare writes."""
    error_rate: Annotated[float, Field(ge=0, le=1)] | None = None
    """Of these, the part that failed by the server's fault, 0 to 1."""
    p95_milliseconds: Annotated[float, Field(ge=0)] | None = None
    """95th percentile of the times of the latest requests, in the slowest pod; absent where there were none."""


class FederationStatus(Resource):
    """The neuron's entry at the federation core."""

    neuron_id: str
    """Id at the core."""
    registered: bool = False
    """Whether the core has registered it."""
    last_heartbeat: Annotated[str, Field(json_schema_extra={"format": "date-time"})] | None = None
    """A recent heartbeat that the core accepted; moved about every 5 minutes, to spare writes."""


class Summary(Resource):
    """Texts for the columns of kubectl get."""

    reason: str
    """Why it is as it is: the reason of Stalled or Reconciling while one of them holds, else of Ready."""
    replicas: str | None = None
    """Ready of wanted pods, such as 2/3."""
    traffic: str | None = None
    """The split in effect, such as primary=100."""


class MLNeuronStatus(Resource):
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
    """Ready, Reconciling, Stalled, ModelLoaded, ModelWarning, TrafficApplied, FederationReady."""
    replicas: int | None = None
    """Pods that exist; what kubectl scale and an autoscaler read."""
    ready_replicas: int | None = None
    """Pods that have loaded the model and answered an inference."""
    selector: str | None = None
    """Label selector of the pods; what an autoscaler reads."""
    url: str | None = None
    """Where the neuron answers inside the cluster."""
    model: ModelStatus | None = None
    """The model as the pods loaded it."""
    traffic: (
        Annotated[
            list[TrafficShare],
            Field(
                max_length=64,
                json_schema_extra={
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["variant"],
                },
            ),
        ]
        | None
    ) = None
    """The split in effect."""
    health: HealthStatus | None = None
    """Health by the federation's rules."""
    federation: FederationStatus | None = None
    """The neuron's entry at the federation core."""
    summary: Summary | None = None
    """Texts for the columns of kubectl get."""
