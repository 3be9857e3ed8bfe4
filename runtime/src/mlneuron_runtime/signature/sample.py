"""A row that a person may send to try a model."""

from typing import Any

from mlneuron_runtime.signature.base import Signature
from mlneuron_runtime.signature.matrix import Matrix


def sample(signature: Signature) -> object:
    """As JSON: an array of zeros, or an object by the columns' or inputs' names."""
    example = None if isinstance(signature, Matrix) else signature.example(0.0)
    if example is None:
        return [0] * (signature.features or 1)
    values: list[Any] = [array[0].tolist() if array.ndim > 1 else array.tolist()[0] for array in example]
    return values[0] if signature.names is None else dict(zip(signature.names, values, strict=True))
