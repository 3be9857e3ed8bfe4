"""Linear models as the few arrays that they are, for numpy: no other library needs to be imported."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from operator import mul

import numpy as np

from mlneuron_runtime.models.shares import softmax, softmax_of
from mlneuron_runtime.tensors import Array, FloatArray


@dataclass(frozen=True, slots=True)
class Linear:
    """Rows are `offsets[k]` less and by `divisors[k]` divided for each k, then times `weights` (features, targets) plus
    `intercept`; where it predicts `shares` of classes, the softmax of that.
    """

    offsets: FloatArray
    divisors: FloatArray
    weights: FloatArray
    intercept: FloatArray
    shares: bool

    def content(self) -> bytes:
        """The same for the same arrays: numpy's archives carry no time."""
        held = io.BytesIO()
        np.savez(
            held, offsets=self.offsets, divisors=self.divisors, weights=self.weights, intercept=self.intercept,
            shares=np.array(self.shares),
        )  # fmt: skip
        return held.getvalue()

    @classmethod
    def of(cls, content: bytes) -> "Linear":
        """Raises ValueError or KeyError for other bytes; runs no code of theirs."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            offsets, divisors = arrays["offsets"], arrays["divisors"]
            return cls(offsets, divisors, arrays["weights"], arrays["intercept"], bool(arrays["shares"]))

    def runner(self) -> Callable[[FloatArray], list[Array]]:
        """Answers rows of float64."""
        scalings = list(zip(self.offsets, self.divisors, strict=True))
        weights, intercept = self.weights, self.intercept

        def scores(rows: FloatArray) -> FloatArray:
            for offset, divisor in scalings:
                rows = (rows - offset) / divisor
            made: FloatArray = rows @ weights + intercept
            return made

        single = self.single() if weights.size <= SMALL and self.divisors.all() else None
        last = softmax if self.shares else lambda made: made

        def run(rows: FloatArray) -> list[Array]:
            if single is not None and len(rows) == 1:
                return [np.array([single(rows[0].tolist())])]
            return [last(scores(rows))]

        return run

    def single(self) -> Callable[[list[float]], list[float]]:
        """Answers one row without numpy."""
        scalings = list(zip(self.offsets.tolist(), self.divisors.tolist(), strict=True))
        columns = list(zip(self.weights.T.tolist(), self.intercept.tolist(), strict=True))
        shares = self.shares

        def answer(row: list[float]) -> list[float]:
            for offset, divisor in scalings:
                row = [(value - less) / by for value, less, by in zip(row, offset, divisor, strict=True)]
            scores = [sum(map(mul, row, weights)) + intercept for weights, intercept in columns]
            return softmax_of(scores) if shares else scores

        return answer


SMALL = 128
"""Weights up to which one row is faster without numpy."""
