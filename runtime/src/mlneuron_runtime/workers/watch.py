"""Whether something stands still for too long. Pure."""

from dataclasses import dataclass, field

from mlneuron_runtime import tallies
from mlneuron_runtime.tallies import Tallies

LOOK_SECONDS = 0.5
"""How often a worker tells that it lives, and how often that is looked at."""


@dataclass(slots=True)
class Stillness:
    """How long a value has been the same, by the looks taken at it.

    A look counts at most two of its intervals: where nobody could look for longer (a paused machine, a throttled pod),
    nobody could move either.
    """

    value: float = 0.0
    seconds: float = 0.0
    _looked: float = 0.0

    def look(self, value: float, now: float) -> float:
        """Seconds so far; 0 stands for nothing that could move."""
        passed, self._looked = min(now - self._looked, 2 * LOOK_SECONDS), now
        moved = value != self.value
        self.value = value
        self.seconds = 0.0 if moved or not value else self.seconds + passed
        return self.seconds


@dataclass(slots=True)
class Watch:
    """Over one process, by what it writes into its tallies. `limit` in seconds."""

    limit: float
    _loop: Stillness = field(default_factory=Stillness)
    _call: Stillness = field(default_factory=Stillness)

    def look(self, one: Tallies, now: float) -> str | None:
        """What hangs, in words; None while nothing does."""
        loop = self._loop.look(one.cells[tallies.PULSE], now)
        call = self._call.look(one.cells[tallies.CALL], now)
        if loop >= self.limit:
            return f"the event loop has stood still for {loop:.1f} s"
        if call >= self.limit:
            return f"one call of the model has taken {call:.1f} s"
        return None

    @property
    def loop_hangs(self) -> bool:
        """Whether not even a probe can be answered."""
        return self._loop.seconds >= self.limit
