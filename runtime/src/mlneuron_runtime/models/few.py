"""Answers of an engine or a network to few rows, read by Python instead of numpy: right after a call of such a library
numpy's code has left the processor's caches, and its ten steps take as long as the call did.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from mlneuron_runtime.acceleration.store import Engine
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.tensors import Array

FLOAT64 = np.dtype(np.float64).str

FEW = 8
"""Rows up to which this is faster."""

Outputs = list[Array]

Arrays = Callable[[Outputs], Prediction]

Listed = tuple[Sequence[Any], Sequence[float | None]]

Lists = Callable[[Outputs], Listed | None]
"""Values and confidences as JSON values, the same as `Arrays` makes; None for numbers that only numpy knows how to
compare.
"""


class Few(Prediction):
    """A prediction whose lists are made without arrays, and whose arrays are made when somebody asks for them.
    `labels`: its values are a classifier's classes.
    """

    def __init__(self, outputs: Outputs, lists: Lists, arrays: Arrays, labels: bool) -> None:
        self.outputs, self._lists, self._arrays, self._labels = outputs, lists, arrays, labels

    def __len__(self) -> int:
        return len(self.outputs[0])

    @cached_property
    def whole(self) -> Prediction:
        return self._arrays(self.outputs)

    @property
    def values(self) -> Array:  # type: ignore[override]  # not to be set
        return self.whole.values

    @property
    def confidence(self) -> Any:  # type: ignore[override]  # not to be set
        return self.whole.confidence

    @property
    def others(self) -> Any:  # type: ignore[override]  # not to be set
        return self.whole.others

    @cached_property
    def listed(self) -> Listed:
        made = self._lists(self.outputs)
        return self.whole.listed if made is None else made

    @property
    def is_finite(self) -> bool:
        if self._labels:
            return True
        values = self.listed[0]
        if type(values[0]) is float:
            total = sum(values)
            return total - total == 0 or self.whole.is_finite  # of finite numbers a sum may be none
        return type(values[0]) is not list or self.whole.is_finite


def lists(engine: Engine) -> Lists | None:
    """How few rows of the engine's outputs are read; None where only arrays will do."""
    classes = None if engine.classes is None else np.array(engine.classes.values, dtype=engine.classes.dtype).tolist()
    if engine.kind == "numbers" and engine.values == FLOAT64:
        return numbers
    if engine.kind == "objective":
        return OBJECTIVES.get(engine.objective or "")
    if engine.kind == "probabilities" and classes is not None:
        return lambda outputs: most_probable(classes, outputs[0].tolist())
    if engine.kind == "both" and classes is not None:
        return chooser(classes)
    return None


def numbers(outputs: Outputs) -> Listed | None:
    """One output a row."""
    (found,) = outputs
    if found.ndim == 2 and found.shape[1] != 1:
        return None
    return found.ravel().tolist(), [None] * len(found)


def most_probable(classes: Sequence[Any], rows: Sequence[Sequence[float]]) -> Listed | None:
    """The first of a row's largest probabilities."""
    values, confidences = [], []
    for row in rows:
        best = max(row)
        if sum(row) != sum(row):  # NaN, the largest of all to numpy
            return None
        values.append(classes[row.index(best)])
        confidences.append(best)
    return values, confidences


def chooser(classes: Sequence[Any]) -> Lists:
    """By the engine's labels, which ONNX has as whole numbers or text."""
    place = {label if isinstance(label, str) else int(label): place for place, label in enumerate(classes)}

    def chosen(outputs: Outputs) -> Listed:
        places = [place[label] for label in outputs[0].ravel().tolist()]
        rows = outputs[1].tolist()
        return [classes[one] for one in places], [row[one] for row, one in zip(rows, places, strict=True)]

    return chosen


def binary(outputs: Outputs) -> Listed | None:
    """The probability of class 1, in 32 bits, as that of class 0 is."""
    ones = outputs[0].ravel().tolist()
    if not all(0 <= one <= 1 for one in ones):
        return None
    zeros = array("f", [1.0 - one for one in ones])
    return [1 if one > 0.5 else 0 for one in ones], list(map(max, zeros, ones))


def multi(outputs: Outputs) -> Listed | None:
    """A probability a class."""
    rows = outputs[0].tolist()
    return most_probable(range(len(rows[0])), rows)


OBJECTIVES: Mapping[str, Lists] = {"binary:logistic": binary, "multi:softprob": multi}
"""Those of xgboost that are read here: the most common ones."""
