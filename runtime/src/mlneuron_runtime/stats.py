"""Counters since the process started, and the health that the guide's rules make of them. Pure but for being
counted.

Two units, kept apart: **requests** are what a client sends, **predictions** the rows in them that fitted the
model.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

WINDOW = 2048
"""Latest requests that p95 looks at: seconds of full load, so it tells the present."""

UNHEALTHY_AT = 50
GOOD_SUCCESS_RATE = 0.9
SLOW_MS = 1000.0


@dataclass(slots=True)
class Stats:
    """Requests by outcome, predictions by outcome, and the seconds of answered requests."""

    requests: int = 0
    successes: int = 0
    failures: int = 0
    predictions: int = 0
    successful_predictions: int = 0
    timed: int = 0
    total_seconds: float = 0.0
    _recent: NDArray[np.float64] = field(default_factory=lambda: np.zeros(WINDOW))

    def time(self, seconds: float) -> None:
        """The time of one request that reached the model, queueing included."""
        self._recent[self.timed % WINDOW] = seconds
        self.timed += 1
        self.total_seconds += seconds

    @property
    def success_rate(self) -> float:
        """Of predictions. 1.0 before the first: the guide's 0 would call an idle neuron ill."""
        return self.successful_predictions / self.predictions if self.predictions else 1.0

    @property
    def average_ms(self) -> float:
        return 1000 * self.total_seconds / self.timed if self.timed else 0.0

    @property
    def p95_ms(self) -> float | None:
        """Of the last WINDOW requests; None before the first."""
        if not self.timed:
            return None
        return float(np.percentile(self._recent[: min(self.timed, WINDOW)], 95)) * 1000

    def health_score(self, models_loaded: int) -> int:
        """The guide's: 0 without a model, 70 below 90 % success, 80 above a second on average, else 100."""
        if models_loaded == 0:
            return 0
        if self.success_rate < GOOD_SUCCESS_RATE:
            return 70
        return 80 if self.average_ms > SLOW_MS else 100


def health_status(score: int) -> str:
    """The guide's word for a score."""
    return "healthy" if score > UNHEALTHY_AT else "unhealthy"
