"""Whether a variant is asked at all: one that keeps failing is left alone for a while. Pure; the clock is given.

Closed, it is asked. It opens after CONSECUTIVE failures, or when half of the last WINDOW requests failed. After a pause
that doubles with each failed attempt, one request tries it (half open): if that succeeds, it is closed again.
"""

from collections import deque
from collections.abc import Callable
from typing import Literal

CONSECUTIVE = 5
WINDOW = 20
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0

State = Literal["closed", "open", "half_open"]


class Circuit:
    """Of one variant, in one process. Each `admits` that says yes is followed by one of the other three."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._recent: deque[bool] = deque(maxlen=WINDOW)
        self._in_a_row = 0
        self._pause = SHORTEST_PAUSE_SECONDS
        self._open_until = 0.0
        self.state: State = "closed"

    def admits(self) -> bool:
        """Whether the next request may ask the variant."""
        if self.state == "closed":
            return True
        if self.state == "open" and self._clock() >= self._open_until:
            self.state = "half_open"
            return True
        return False

    def succeeded(self) -> None:
        if self.state == "half_open":
            self._recent.clear()
            self._pause = SHORTEST_PAUSE_SECONDS
            self.state = "closed"
        self._in_a_row = 0
        self._recent.append(True)

    def failed(self) -> None:
        self._recent.append(False)
        self._in_a_row += 1
        if self.state == "half_open":
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
            self._open()
        elif self.state == "closed" and (self._in_a_row >= CONSECUTIVE or self._half_fail()):
            self._open()

    def released(self) -> None:
        """The request ended without telling anything of the variant: its caller left, or was at fault."""
        if self.state == "half_open":
            self.state = "open"  # the next request tries it

    def _half_fail(self) -> bool:
        return len(self._recent) == WINDOW and 2 * sum(self._recent) <= WINDOW

    def _open(self) -> None:
        self.state = "open"
        self._open_until = self._clock() + self._pause
