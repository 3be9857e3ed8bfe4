"""Models that answer as told, and the looks at them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mlneuron_operator.rollout.evidence import BOUNDS, Counts, Evidence
from mlneuron_operator.rollout.guards import Guard
from mlneuron_operator.rollout.ledger import Reading
from mlneuron_operator.rollout.plan import Plan, Step
from mlneuron_operator.rollout.state import Moment, State, look

BEGAN = 1_000_000.0
LOOK = 5.0
STEPS = (Step(1, 60), Step(10, 60), Step(50, 120))
PLAN = Plan(STEPS, guard=Guard(min_requests=100))


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Shares are exact, so that tests need no luck."""

    error_rate: float = 0.0
    seconds: float = 0.01
    accuracy: float = 1.0

    def counts(self, requests: int) -> Counts:
        """After so many requests, each of which was told its outcome; 10 % take twice the time."""
        latency = [0] * (len(BOUNDS) + 1)
        slow = requests // 10
        for seconds, count in ((self.seconds, requests - slow), (2 * self.seconds, slow)):
            latency[bucket(seconds)] += count
        correct = round(requests * self.accuracy)
        return Counts(requests, 0, round(requests * self.error_rate), requests, correct, tuple(latency))


def bucket(seconds: float) -> int:
    """The place of the bucket that a time falls in."""
    return next(place for place, bound in enumerate(BOUNDS) if seconds <= bound)


GOOD = Behaviour()


@dataclass
class World:
    """One pod, requests that grow with each look, and the state of a rollout."""

    plan: Plan = PLAN
    variant: Behaviour = GOOD
    primary: Behaviour = GOOD
    rates: tuple[int, int] = (90, 10)
    subject: str = "model"
    serving: bool = True
    now: float = BEGAN
    state: State | None = None
    told: Evidence = field(default_factory=Evidence)

    def look(self, seconds: float = LOOK) -> State:
        """The next look, after so many seconds."""
        if self.state is not None:
            self.now += seconds
            asked = self.rates[0] if self.serving else sum(self.rates), self.rates[1] if self.serving else 0
            self.told += Evidence(self.primary.counts(asked[0]), self.variant.counts(asked[1]))
        moment = Moment(self.now, self.serving, [Reading("pod", BEGAN - 100, self.told)])
        self.state = look(self.plan, self.subject, self.state, moment)
        return self.state

    def until(self, reached: Callable[[State], bool], looks: int = 1000) -> State:
        """Look until something is so; fails if it never is."""
        for _ in range(looks):
            if reached(state := self.look()):
                return state
        raise AssertionError(f"still {self.state and self.state.progress}")

    def change(self, **fields: object) -> None:
        """The spec is edited."""
        self.plan = replace(self.plan, **fields)  # type: ignore[arg-type]  # any field of a Plan
