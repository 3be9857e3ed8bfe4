"""Arrays and what the Open Inference Protocol calls them. Pure.

Inside the runtime a request's rows are `Inputs`: one array an input of the model, each with a row an entry of its
first dimension. Text is an array of `object` holding str.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FloatArray = NDArray[np.float64]

Inputs = tuple[Array, ...]
"""One array an input, in the signature's order; all of the same length, the number of rows."""

DTYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "INT8": np.dtype(np.int8), "INT16": np.dtype(np.int16), "INT32": np.dtype(np.int32), "INT64": np.dtype(np.int64),
    "UINT8": np.dtype(np.uint8), "UINT16": np.dtype(np.uint16), "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "FP16": np.dtype(np.float16), "FP32": np.dtype(np.float32), "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(object),
}  # fmt: skip

_NAMES = {dtype: name for name, dtype in DTYPES.items()}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output as the protocol's metadata tells it: `shape` without the rows, None where a dimension may be
    any.
    """

    name: str
    datatype: str
    shape: tuple[int | None, ...] = ()

    @property
    def wire_shape(self) -> list[int]:
        """With the rows in front; -1 for what may be any."""
        return [-1, *(-1 if size is None else size for size in self.shape)]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named array that a caller sent."""

    name: str
    array: Array


def datatype_of(array: Array) -> str:
    """The protocol's word for an array's type; text and anything it has no word for is BYTES."""
    return _NAMES.get(array.dtype, "BYTES")


def rows_of(inputs: Inputs) -> int:
    return len(inputs[0])


def joined(parts: Sequence[Inputs]) -> Inputs:
    """The rows of all parts, one after the other."""
    if len(parts) == 1:
        return parts[0]
    if len(parts[0]) == 1:
        return (np.concatenate([part[0] for part in parts]),)
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def cut(inputs: Inputs, start: int, stop: int) -> Inputs:
    """Rows start to stop, as views."""
    return tuple(array[start:stop] for array in inputs)


def alike(one: Inputs, other: Inputs) -> bool:
    """Whether rows of both can go in one call of the model."""
    return all(first.shape[1:] == second.shape[1:] for first, second in zip(one, other, strict=True))
