"""What a call of the model costs, measured once it is warm, and where it should therefore run."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlneuron_runtime.models.base import Model
from mlneuron_runtime.tensors import Inputs

RUNS = 5
MANY = 32
MOST = 1024

CHEAP_SECONDS = 0.0005
"""A call this cheap is not worth a thread: handing it over and back costs about a tenth of it, and under load far more,
since thread and event loop then wait for each other.
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of a call with one row, and with `rows`. `most` rows may go together by themselves."""

    one: float
    many: float
    rows: int = MANY
    most: int = MOST

    @property
    def inline_rows(self) -> int:
        """How many rows a call may hold that the event loop makes itself; 0: none."""
        if self.one > CHEAP_SECONDS:
            return 0
        each = max((self.many - self.one) / (self.rows - 1), 1e-9)
        return max(1, min(self.most, 1 + int((CHEAP_SECONDS - self.one) / each)))


def measured(model: Model, crossover: int | None = None, clock: Callable[[], float] = time.perf_counter) -> Cost | None:
    """The fastest of a few calls of each size; None where the model takes no row that is known to fit.

    Calls of `crossover` rows are answered by another library, which would have to be loaded first, for a time in which
    everything else is slower: a single request may be worth that, and small ones that come together are not.
    """
    example = next((made for probe in (0.0, 1.0, 0.5) if (made := answered(model, probe)) is not None), None)
    if example is None:
        return None
    most = MOST if crossover is None else crossover - 1
    rows = min(MANY, most)
    many = tuple(np.repeat(array, rows, axis=0) for array in example)
    try:
        return Cost(fastest(model, example, clock), fastest(model, many, clock), rows, most)
    except Exception:  # of a size that the model does not take: then it is asked row by row, in its thread
        return None


def answered(model: Model, probe: float) -> Inputs | None:
    """The probe's row, if the model answers it."""
    example = model.signature.example(probe)
    if example is None:
        return None
    try:
        model.predict(example)
    except Exception:  # a probe may be outside a good model's domain
        return None
    return example


def fastest(model: Model, inputs: Inputs, clock: Callable[[], float]) -> float:
    """Seconds; the others were disturbed."""
    best = float("inf")
    for _ in range(RUNS):
        started = clock()
        model.predict(inputs)
        best = min(best, clock() - started)
        if best > 10 * CHEAP_SECONDS:
            break
    return best
