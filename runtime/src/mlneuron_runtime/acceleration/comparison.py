"""Whether an engine answers as the original does."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlneuron_runtime.models.base import Model, Prediction
from mlneuron_runtime.models.few import FEW
from mlneuron_runtime.tensors import FloatArray

TOLERANCE = 1e-5
"""Of a probability; and of a number, as a part of it or of the model's usual numbers."""


FEW_DIFFER = "few rows are answered otherwise than many"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many probes were asked, how many were answered otherwise, and the largest difference of a probability, or of
    a number as a part of the usual ones.
    """

    probes: int
    differ: int
    largest: float
    kinds: str | None = None
    """What is different whatever the row is."""

    @property
    def equal(self) -> bool:
        return self.kinds is None and not self.differ and self.probes > 0

    def __str__(self) -> str:
        if self.kinds is not None:
            return self.kinds
        if not self.probes:
            return "the model answers no probe"
        if self.differ:
            return f"{self.differ:,} of {self.probes:,} probes differ"
        return f"{self.probes:,} probes agree, largest difference {self.largest:.1e}"


def compared(answers: Sequence[tuple[FloatArray, Prediction]], engine: Model) -> Verdict:
    """The original's answers to blocks of rows against the engine's."""
    usual = usual_size([answer for _, answer in answers])
    total = differ = 0
    largest = 0.0
    for rows, answer in answers:
        given = engine.predict((rows,))
        unlike = kinds(answer, given)
        if unlike is not None:
            return Verdict(total, 0, largest, unlike)
        if not few_alike(engine, rows[: 4 * FEW], given):
            return Verdict(total, 0, largest, FEW_DIFFER)
        apart = difference(answer, given, usual)
        total += len(rows)
        differ += int((apart > TOLERANCE).sum())
        largest = max(largest, float(apart[apart <= TOLERANCE].max(initial=0.0)))
    return Verdict(total, differ, largest)


def few_alike(engine: Model, rows: FloatArray, given: Prediction) -> bool:
    """Whether the engine's ways for one row and for few say the same as was `given` to these rows among many."""
    values, confidences = given.listed
    for size in (1, FEW):
        for start in range(0, len(rows), size):
            found = engine.predict((rows[start : start + size],)).listed
            places = slice(start, start + size)
            if not (same(values[places], found[0]) and same(confidences[places], found[1])):
                return False
    return True


def same(one: Sequence[Any], two: Sequence[Any]) -> bool:
    """Equal, but for the last digits of numbers, which depend on the order of a sum."""
    return len(one) == len(two) and all(map(close, one, two))


def close(one: Any, two: Any) -> bool:
    if isinstance(one, list):
        return same(one, two)
    if not isinstance(one, float):
        return bool(one == two)
    return math.isclose(one, two, rel_tol=TOLERANCE, abs_tol=TOLERANCE) or (math.isnan(one) and math.isnan(two))


def kinds(answer: Prediction, given: Prediction) -> str | None:
    """How the two are of different kinds, in words."""
    if answer.values.dtype != given.values.dtype or answer.values.shape != given.values.shape:
        return f"values are {given.values.dtype}{given.values.shape}, not {answer.values.dtype}{answer.values.shape}"
    if (answer.confidence is None) != (given.confidence is None):
        return "only one of the two has a confidence"
    if {name: (array.dtype, array.shape) for name, array in answer.others.items()} != {
        name: (array.dtype, array.shape) for name, array in given.others.items()
    }:
        return "other outputs than the original's"
    return None


def usual_size(answers: Sequence[Prediction]) -> NDArray[Any]:
    """The median size of each output that is a number."""
    if not answers or answers[0].values.dtype.kind != "f":
        return np.zeros(1)
    sizes = np.abs(np.concatenate([answer.values for answer in answers]))
    usual: NDArray[Any] = np.nanmedian(np.where(np.isfinite(sizes), sizes, np.nan), axis=0)
    return usual


def difference(answer: Prediction, given: Prediction, usual: NDArray[Any]) -> NDArray[np.float64]:
    """For each row the largest difference; infinity for another label."""
    values = apart(answer.values, given.values, usual)
    if answer.confidence is not None and given.confidence is not None:
        values = np.maximum(values, apart(answer.confidence, given.confidence, None))
    for name, array in answer.others.items():
        values = np.maximum(values, apart(array, given.others[name], None))
    return values


def apart(one: NDArray[Any], two: NDArray[Any], usual: NDArray[Any] | None) -> NDArray[np.float64]:
    """Of labels 0 or infinity, of numbers the difference, as a part of the larger of the number and `usual` where that
    is given. What both cannot say (NaN, the same infinity) is no difference.
    """
    if one.dtype.kind != "f":
        different: Any = np.where(one == two, 0.0, np.inf)
    else:
        first, second = one.astype(np.float64), two.astype(np.float64)
        with np.errstate(all="ignore"):
            size = 1.0 if usual is None else np.maximum(np.abs(first), np.maximum(usual, 1e-300))
            different = np.abs(first - second) / size
        alike = (first == second) | (np.isnan(first) & np.isnan(second))
        different = np.where(alike, 0.0, np.where(np.isnan(different), np.inf, different))
    reduced: NDArray[np.float64] = different if different.ndim == 1 else different.max(axis=1)
    return reduced
