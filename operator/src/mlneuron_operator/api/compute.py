"""What a pod may use, and how it batches."""

from typing import Annotated, ClassVar, Final

from pydantic import Field

from .base import Duration, Quantity, Resource, Rule

_RESOURCE_NAME: Final = "name in ['cpu', 'memory', 'ephemeral-storage']"

_QUANTITY_RULES: Final = (
    Rule(
        f"self.all(name, name.contains('/') || {_RESOURCE_NAME})",
        f"'unknown resource ' + self.filter(name, !(name.contains('/') || {_RESOURCE_NAME}))[0] + "
        "': write cpu, memory, ephemeral-storage, or a full name such as nvidia.com/gpu'",
        dynamic=True,
    ),
    Rule(
        "self.all(name, !name.contains('/') || string(self[name]).matches('^[0-9]+$'))",
        "an extended resource such as nvidia.com/gpu comes in whole pieces: write a whole number",
    ),
)

Quantities = Annotated[dict[str, Quantity], Field(max_length=16), *_QUANTITY_RULES]


class ResourcesSpec(Resource):
    """Compute resources of each pod."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.requests) || !has(self.limits) || self.requests.all(name, !name.contains('/') || "
            "!(name in self.limits) || string(self.requests[name]) == string(self.limits[name]))",
            "an extended resource such as nvidia.com/gpu can't be overcommitted: "
            "give it the same number in requests and limits",
        ),
        Rule(
            "!has(self.requests) || !has(self.limits) || self.requests.all(name, !(name in self.limits) || "
            "!isQuantity(string(self.requests[name])) || !isQuantity(string(self.limits[name])) || "
            "quantity(string(self.requests[name])).compareTo(quantity(string(self.limits[name]))) <= 0)",
            "a request is above its limit: lower it in requests, or raise it in limits",
        ),
    )

    requests: Quantities = Field(default_factory=dict)
    """What is reserved for each pod, by resource name: cpu, memory, nvidia.com/gpu. A GPU may be named in requests or
    in limits; the other is filled in."""

    limits: Quantities = Field(default_factory=dict)
    """What each pod may use at most, by resource name."""


class BatchingSpec(Resource):
    """How requests that arrive together share one call of the model."""

    max_size: Annotated[int, Field(ge=1, le=4096)] = 32
    """Most rows in one call of the model."""

    max_delay: Duration = "0ms"
    """How long a request may wait for others. 0ms waits for nobody: what arrives while the model is busy forms the
    next batch."""

    max_queue: Annotated[int, Field(ge=1, le=1048576)] = 1024
    """Most requests waiting in a pod; one more is answered 503 with Retry-After."""
