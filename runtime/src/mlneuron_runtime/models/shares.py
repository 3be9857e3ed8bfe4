"""What is computed of the shares of classes, such as probabilities: along rows of few numbers numpy takes ten times as
long as along columns.
"""

import math
from collections.abc import Sequence

import numpy as np

from mlneuron_runtime.tensors import Array, FloatArray

FEW_CLASSES = 8
"""Below so many, numpy adds the shares of a row in their order, however they lie in memory."""


def softmax(scores: FloatArray) -> FloatArray:
    """Of (rows, classes)."""
    if len(scores) > 1 and scores.shape[1] < FEW_CLASSES:
        columns = np.array(scores.T, order="C")
        columns -= columns.max(axis=0)
        np.exp(columns, out=columns)
        columns /= columns.sum(axis=0)
        return columns.T
    powers = np.exp(scores - np.maximum.reduce(scores, axis=1, keepdims=True))
    powers /= np.add.reduce(powers, axis=1, keepdims=True)
    made: FloatArray = powers
    return made


def softmax_of(scores: Sequence[float]) -> list[float]:
    """Of one row without numpy."""
    most = max(scores)
    powers = [math.exp(score - most) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


def largest(shares: Array) -> Array:
    """Of each of (rows, classes)."""
    few = len(shares) > 1 and shares.shape[1] < FEW_CLASSES
    made: Array = np.maximum.reduce(np.ascontiguousarray(shares.T)) if few else np.maximum.reduce(shares, axis=1)
    return made
