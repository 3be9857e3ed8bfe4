"""What calls of the original and of an engine cost, here, by the number of rows."""

import time
from collections.abc import Callable

import numpy as np

from mlneuron_runtime.models.base import Model
from mlneuron_runtime.tensors import FloatArray

SIZES = (1, 8, 32, 64, 250, 1000)

USUAL = 8
"""Rows up to which an engine has to be faster: most requests have one, and few go together unless the load is high.
From where on the original is faster, it answers."""

SPLITS = (32, 64, 128, 256, 512, 1 << 30)

BUDGET_SECONDS = 0.15
"""For one measurement; at least MIN_RUNS calls."""

MIN_RUNS = 5
MAX_RUNS = 200

SLACK = 1.1
"""A call this much dearer is within what measuring twice differs by."""


def seconds(model: Model, rows: FloatArray, size: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Of a call with that many rows, the median of the better half: the others were disturbed.

    Each call has other rows. Of the same ones the processor would know every branch by heart.
    """
    taken: list[float] = []
    began = clock()
    while len(taken) < MIN_RUNS or (len(taken) < MAX_RUNS and clock() - began < BUDGET_SECONDS):
        part = rows[np.arange(len(taken) * size, (len(taken) + 1) * size) % len(rows)]
        started = clock()
        model.predict((part,)).listed  # noqa: B018  # made when it is asked for
        taken.append(clock() - started)
    return sorted(taken)[len(taken) // 4]


def costs(model: Model, rows: FloatArray) -> dict[int, float]:
    """Seconds of a call by its rows."""
    return {size: seconds(model, rows, size) for size in SIZES}


def best_split(make: Callable[[int], Model], rows: FloatArray) -> int:
    """The size of parts with which 1,000 rows are fastest; whole, unless parts are clearly faster."""
    taken = {split: seconds(make(split), rows, SIZES[-1]) for split in SPLITS}
    best = min(taken, key=lambda split: taken[split])
    return best if taken[best] * SLACK < taken[SPLITS[-1]] else SPLITS[-1]


def faster(engine: dict[int, float], original: dict[int, float]) -> bool:
    """Whether the engine is clearly faster for as many rows as go together usually; the original may answer more."""
    return all(engine[size] * SLACK < original[size] for size in SIZES if size <= USUAL)


def crossover(engine: dict[int, float], original: dict[int, float]) -> int | None:
    """From how many rows on the original is clearly faster, always; None where it never is."""
    found = None
    for size in reversed(SIZES):
        if original[size] * SLACK > engine[size]:
            break
        found = size
    return found


def slower_where(engine: dict[int, float], original: dict[int, float]) -> str:
    """The usual size that speaks most against the engine, in words."""
    size = max((size for size in SIZES if size <= USUAL), key=lambda rows: engine[rows] / original[rows])
    told = f"{micros(engine[size])} for {size:,} {'row' if size == 1 else 'rows'}"
    return f"{told}, {micros(original[size])} by the original"


def micros(duration: float) -> str:
    return f"{duration * 1e6:,.1f} µs"
