"""One circuit for the core as a whole: while it is down, one probe at a time instead of thousands of failing calls."""

from collections.abc import Callable

from .schedule import OUTAGE, Backoff

THRESHOLD = 3
"""Failures in a row, over all neurons, that call the core down."""


class Circuit:
    """Counts what becomes of calls; times are monotonic seconds, draw gives numbers in [0, 1)."""

    def __init__(self, draw: Callable[[], float], backoff: Backoff = OUTAGE) -> None:
        self._draw = draw
        self._backoff = backoff
        self._failures = 0
        self._steps = 0
        self._retry_at = 0.0
        self._probing = False
        self.cause = ""
        """What the call that opened the circuit met."""

    @property
    def open(self) -> bool:
        """Whether the core is taken to be down."""
        return self._steps > 0

    def admit(self, now: float) -> bool:
        """Whether a call may go out now; while open, only one, and only after the backoff."""
        if not self.open:
            return True
        if self._probing or now < self._retry_at:
            return False
        self._probing = True
        return True

    def answered(self) -> bool:
        """The core answered, whatever it said. True when that ends an outage."""
        recovered = self.open
        self._failures = self._steps = 0
        self._probing = False
        return recovered

    def failed(self, now: float, cause: str) -> None:
        """A call found no core."""
        self._failures += 1
        if self.open and not self._probing:
            return  # a straggler from before the circuit opened
        if self._failures >= THRESHOLD:
            if not self.open:
                self.cause = cause
            self._steps += 1
            self._probing = False
            self._retry_at = now + self._backoff.delay(self._steps, self._draw)

    def abandoned(self) -> None:
        """A probe ended with no word about the core: the next may try."""
        self._probing = False
