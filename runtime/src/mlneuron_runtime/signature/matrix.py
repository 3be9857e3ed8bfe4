"""Rows of numbers: one (rows, features) matrix of float64, the signature of most models.

A list of numbers becomes an array through `array.array`, whose C loop accepts numbers only (a string, null or
nested list raises) and is as fast as `numpy.array`, which would turn `"1.5"` into 1.5 and null into NaN.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.signature.base import MAX_FEATURES, Rows, check_batch, check_rows, kind
from mlneuron_runtime.tensors import Array, Inputs, Tensor, TensorSpec

FloatArray = NDArray[np.float64]

INPUT = "features"
"""The input's name in the protocol's metadata."""

LARGEST = float(np.finfo(np.float32).max)
"""Trees, xgboost and torch compute in 32-bit floats: a larger number would reach them as infinity."""

BOUNDS = "send a finite number between -3.4e38 and 3.4e38 (a 32-bit float)"

SHORT = 64
"""Up to so many numbers, Python's own min and max beat numpy's."""


@dataclass(frozen=True)
class Matrix:
    """`features` numbers a row; None where the model does not say, and then any length is taken.

    Where the columns have `names`, a row may be an object by these names, and tensors may come one a column.
    """

    features: int | None
    names: tuple[str, ...] | None = None

    @cached_property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec(INPUT, "FP64", (self.features,)),)

    def row(self, features: object, field: str = "features") -> Inputs:
        return (self._row(features, field).reshape(1, -1),)

    def rows(self, batch: object, field: str = "batch_features") -> Rows:
        given = check_batch(batch, field, self._wanted)
        values = self._all_at_once(given)
        if values is not None:
            return Rows((values,), len(given), range(len(given)))
        return self._one_by_one(given, field)

    def tensors(self, given: Sequence[Tensor]) -> Inputs:
        if len(given) == 1 and (given[0].array.ndim == 2 or not self.names):
            return (self._matrix(given[0]),)
        return (self._columns(given),)

    def example(self, probe: float) -> Inputs | None:
        return None if self.features is None else (np.full((1, self.features), probe),)

    @cached_property
    def _wanted(self) -> str:
        numbers = "an array of numbers" if self.features is None else f"an array of {self.features} numbers"
        return numbers if self.names is None else f"{numbers} or an object by the columns' names"

    def _row(self, features: object, field: str) -> FloatArray:
        given = features
        if isinstance(features, dict) and self.names is not None:
            features = self._in_order(features, field)
        if not isinstance(features, list):
            raise InvalidInput(field, f"{field} is {kind(features)}; send {self._wanted}", features)
        if not features or len(features) != (self.features or len(features)) or len(features) > MAX_FEATURES:
            raise InvalidInput(field, f"{field} has {len(features)} values; send {self._wanted}")
        try:
            values = array("d", features)
        except (TypeError, OverflowError):
            name_the_culprit(features, self._places(given, field))
        if not in_range(values):
            name_the_culprit(features, self._places(given, field))
        return np.frombuffer(values)

    def _places(self, given: object, field: str) -> Iterator[str]:
        """What errors call the values of a row."""
        if isinstance(given, dict):
            return (f"{field}.{name}" for name in self.names or ())
        return (f"{field}[{position}]" for position in count())

    def _in_order(self, row: dict[str, object], field: str) -> list[object]:
        """The values of an object in the order of the columns."""
        names = self.names or ()
        try:
            ordered = [row[name] for name in names]
        except KeyError as error:
            raise InvalidInput(
                f"{field}.{error.args[0]}", f"{field} lacks '{error.args[0]}'; send {', '.join(names)}"
            ) from None
        if len(row) != len(ordered):
            unknown = next(name for name in row if name not in names)
            raise InvalidInput(field, f"{field} has an unknown column; send {', '.join(names)}", unknown)
        return ordered

    def _all_at_once(self, batch: list[object]) -> FloatArray | None:
        """The whole batch with no Python work a row beyond its type and length; None when any row is bad."""
        if set(map(type, batch)) != {list}:
            return None
        rows: list[list[float]] = batch  # type: ignore[assignment]  # the line above is the proof
        widths = set(map(len, rows))
        width = self.features or len(rows[0])
        if widths != {width} or not 0 < width <= MAX_FEATURES:
            return None
        try:
            values = np.frombuffer(array("d", chain.from_iterable(rows))).reshape(-1, width)
        except (TypeError, OverflowError):
            return None
        return values if np.abs(values).max() <= LARGEST else None

    def _one_by_one(self, batch: list[object], field: str) -> Rows:
        """The slow way, for a batch with a bad row: which rows are good, and what is wrong with the others.

        Where the model does not say its width the first good row does, since one call takes one width.
        """
        signature, good, faults = self, {}, {}
        for position, features in enumerate(batch):
            try:
                values = signature._row(features, f"{field}[{position}]")
            except InvalidInput as fault:
                faults[position] = fault
            else:
                good[position] = values
                signature = Matrix(len(values), self.names)
        stacked = np.array(list(good.values())) if good else np.empty((0, self.features or 0))
        return Rows((stacked,), len(batch), list(good), faults)

    def _matrix(self, tensor: Tensor) -> FloatArray:
        """One tensor of (rows, features)."""
        values, name = tensor.array, tensor.name
        if self.features == 1 and values.ndim == 1:
            values = values.reshape(-1, 1)
        width = self.features or (values.shape[1] if values.ndim == 2 else 0)
        if values.ndim != 2 or values.shape[1] != width or 0 in values.shape:
            wanted = f"[rows, {self.features or 'features'}]"
            raise InvalidInput(f"{name}.shape", f"{name} has the shape {list(values.shape)}; send {wanted}")
        check_rows(len(values), name)
        return numbers(values, name)

    def _columns(self, given: Sequence[Tensor]) -> FloatArray:
        """Tensors of one column each, by their names."""
        columns = {tensor.name: tensor.array for tensor in given}
        if self.names is None or len(columns) != len(given):
            names = ", ".join(tensor.name for tensor in given)
            raise InvalidInput("inputs", f"there are {len(given)} inputs ({names}); send one of shape [rows, features]")
        ordered = [column(array, name) for array, name in zip(self._in_order(dict(columns), "inputs"), self.names)]  # type: ignore[arg-type]  # noqa: B905  # of arrays, as long as the names
        if len(set(map(len, ordered))) != 1:
            raise InvalidInput("inputs", "the inputs have different numbers of rows; send as many in each")
        check_rows(len(ordered[0]), "inputs")
        return np.stack(ordered, axis=1)


def column(values: Array, name: str) -> FloatArray:
    """One column's numbers, of shape [rows] or [rows, 1]."""
    if values.size != len(values) or values.ndim > 2 or values.size == 0:
        raise InvalidInput(f"{name}.shape", f"{name} has the shape {list(values.shape)}; send [rows] or [rows, 1]")
    return numbers(values.reshape(-1), name)


def numbers(values: Array, name: str) -> FloatArray:
    """As float64, if they are numbers that a model can take."""
    if values.dtype == object:
        raise InvalidInput(f"{name}.datatype", f"{name} is BYTES; send numbers, such as FP64")
    converted = values.astype(np.float64, copy=False)
    if converted.size and not np.abs(converted).max() <= LARGEST:
        place = np.argwhere(~(np.abs(converted) <= LARGEST))[0]
        where = f"{name}{''.join(f'[{index}]' for index in place)}"
        raise InvalidInput(where, f"{where} is out of range; {BOUNDS}", float(converted[tuple(place)]))
    return converted


def in_range(values: "array[float]") -> bool:
    """Whether all are finite as 32-bit floats."""
    if len(values) <= SHORT:
        total = sum(values)  # not itself if one of them is not a number
        return total == total and max(values) <= LARGEST and min(values) >= -LARGEST
    return bool(np.abs(np.frombuffer(values)).max() <= LARGEST)


def name_the_culprit(features: list[Any], places: Iterable[str]) -> NoReturn:
    """Raise for the first value that is not a number a model can take."""
    for value, place in zip(features, places, strict=False):
        if not isinstance(value, bool | int | float):
            raise InvalidInput(place, f"{place} is {kind(value)}; send a number", value)
        if not abs(value) <= LARGEST:
            raise InvalidInput(place, f"{place} is out of range; {BOUNDS}", value)
    raise AssertionError("every value is a number in range")
