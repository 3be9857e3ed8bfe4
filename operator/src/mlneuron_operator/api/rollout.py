"""How a variant's share grows by itself, and what must not get worse meanwhile."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from .base import Duration, Resource, Rule
from .quantity import DURATION_PATTERN

MOST_STEPS: Final = 20

_TWO_DECIMALS: Final = Rule(
    "double(int(self * 100.0 + 0.5)) / 100.0 == self",
    "it is finer than the hundredth of a percent: write at most two decimals",
)

Percent = Annotated[float, Field(ge=0, le=100), _TWO_DECIMALS]
"""A share of the traffic in percent, to the hundredth."""


class StepSpec(Resource):
    """A share, and for how long at least."""

    traffic: Annotated[float, Field(ge=0.01, le=100), _TWO_DECIMALS]
    """Percent of the subjects."""

    hold: Annotated[
        Duration,
        Rule(
            f"!self.matches('{DURATION_PATTERN}') || "
            "(duration(self) >= duration('1s') && duration(self) <= duration('720h'))",
            "'hold is ' + self + ': choose at least 1s and at most 720h'",
            dynamic=True,
        ),
    ]
    """How long the step lasts at least; it goes on only with enough requests and no harm seen."""


class RolloutSpec(Resource):
    """A share that grows step by step, and falls to nothing when the variant does harm."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"{list(range(MOST_STEPS - 1))}.all(i, i + 1 >= self.steps.size() || "
            "self.steps[i].traffic < self.steps[i + 1].traffic)",
            "each step must give more traffic than the one before: put them in order",
        ),
    )

    steps: Annotated[list[StepSpec], Field(min_length=1, max_length=MOST_STEPS)]
    """The shares in their order."""

    on_success: Annotated[
        Literal["Hold", "Promote"],
        Rule(
            "self != 'Promote'",
            "Promote needs a registry whose alias can be moved, which this version has not: "
            "write Hold, and promote by setting spec.model of the neuron",
        ),
    ] = "Hold"
    """What comes after the last step: Hold stays at its share."""

    paused: bool = False
    """Whether it stays at the step that it is at; harm is looked for all the same."""


class GuardSpec(Resource):
    """What must not get worse than with the primary over the same time."""

    min_requests: Annotated[int, Field(ge=1, le=1000000000)] = 500
    """Fewest requests that the variant and the primary must each have answered in a step before the next one."""

    max_error_rate_increase: Annotated[float, Field(ge=0, le=1)] = 0.01
    """By how much the share of failed requests may be above the primary's; 0.01 is one request in a hundred."""

    max_p95_increase: Annotated[float, Field(ge=0, le=100)] = 0.2
    """By how much, relative to the primary's, the time that 95 of 100 requests stay within may be longer; 0.2 is a
    fifth."""

    min_accuracy_gain: Annotated[float, Field(ge=-1, le=1)] | None = None
    """By how much the accuracy told by feedback must at least be above the primary's; below 0 it may be worse by that.
    Accuracy guards nothing when not set."""

    confidence: Annotated[float, Field(ge=0.5, le=0.9999)] = 0.99
    """How sure a verdict must be: 0.99 takes at most one variant in a hundred that does no harm for one that does,
    however often is looked."""
