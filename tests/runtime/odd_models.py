"""Models for tests, whose behaviour the input chooses. Importable by the server under test, as `odd_models`.

They answer the sum of a row, so that an answer tells which input it is for.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

POISON = -13.0
BLOCK = -42.0
NOT_FINITE = -7.0

SENSITIVE = "patient 4711"


class Summing:
    """Sums rows of any width; raises on POISON, answers NaN for NOT_FINITE."""

    def predict(self, rows: Any) -> Any:
        if (rows == POISON).any():
            raise ValueError(SENSITIVE)
        sums = rows.sum(axis=1)
        return np.where((rows == NOT_FINITE).any(axis=1), np.nan, sums)


class SummingTwo(Summing):
    """Says that it takes two features."""

    n_features_in_ = 2


class Gated(SummingTwo):
    """Stops on BLOCK until somebody writes to the named pipe."""

    def __init__(self, pipe: Path) -> None:
        self.pipe = pipe

    def predict(self, rows: Any) -> Any:
        if (rows == BLOCK).any():
            self.pipe.read_bytes()
        return super().predict(rows)


class Unusable(SummingTwo):
    """Loads, and never answers."""

    def predict(self, rows: Any) -> Any:
        raise ValueError("needs a data frame")


class Boastful(Summing):
    """Says of its width what is no number."""

    n_features_in_ = "many"


class Gate:
    """A predict function in this process that stops on BLOCK until it is opened; it keeps its calls' sizes."""

    def __init__(self, then: Callable[[Any], Any]) -> None:
        self.then = then
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.sizes: list[int] = []

    def __call__(self, inputs: Any) -> Any:
        (rows,) = inputs
        self.sizes.append(len(rows))
        if (rows == BLOCK).any():
            self.entered.set()
            assert self.opened.wait(30)
        return self.then(inputs)
