"""Rows of numbers: one (rows, features) matrix of float64, the signature of most models."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any, NoReturn

import numpy as np

from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.signature.base import MAX_FEATURES, MAX_ROWS, Rows, check_batch, check_rows, kind
from mlneuron_runtime.signature.values import bounded, cast, complaint, in_range, packed, refuse, within
from mlneuron_runtime.tensors import Array, FloatArray, Inputs, Tensor, TensorSpec

INPUT = "features"
"""The input's name in the protocol's metadata."""


@dataclass(frozen=True)
class Matrix:
    """`features` numbers a row; None where the model does not say, and then any length is taken.

    Where the columns have `names`, a row may be an object by these names, and tensors may come one a column.
    `nullable`: the model takes missing values, which are null in JSON and NaN in the matrix. `whole` are the places of
    the columns that take whole numbers only. `input` and `datatype` are what the protocol's metadata tells.
    """

    features: int | None
    names: tuple[str, ...] | None = None
    nullable: bool = False
    whole: tuple[int, ...] = ()
    input: str = INPUT
    datatype: str = "FP64"

    @cached_property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec(self.input, self.datatype, (self.features,)),)

    def row(self, features: object, field: str = "features") -> Inputs:
        return (self._row(features, field).reshape(1, -1),)

    def rows(self, batch: object, field: str = "batch_features") -> Rows:
        given = check_batch(batch, field, self._wanted)
        values = self._all_at_once(given)
        if values is not None:
            return Rows((values,), len(given), range(len(given)))
        return self._one_by_one(given, field)

    def plain(self, numbers: FloatArray) -> Inputs | None:
        """What came as one array, where it is (rows, features) that all fit; None where each row is to be looked at by
        itself.
        """
        if numbers.ndim != 2 or len(numbers) > MAX_ROWS:
            return None
        width = numbers.shape[1]
        fits = width == (self.features or width) and width <= MAX_FEATURES and self._are_good(numbers)
        return (numbers,) if fits else None

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
        names = None
        if isinstance(features, dict) and self.names is not None:
            features, names = self._in_order(features, field), self.names
        if not isinstance(features, list):
            raise InvalidInput(field, f"{field} is {kind(features)}; send {self._wanted}", features)
        if not features or len(features) != (self.features or len(features)) or len(features) > MAX_FEATURES:
            raise InvalidInput(field, f"{field} has {len(features)} values; send {self._wanted}")
        try:
            values = array("d", features)
        except (TypeError, OverflowError):
            values = self._with_gaps(features, field, names)
        else:
            if not in_range(values):
                self._name_the_culprit(features, field, names)
        found = np.frombuffer(values)
        if self.whole and not self._are_whole(found):
            self._name_the_culprit(features, field, names)
        return found

    def _with_gaps(self, features: list[Any], field: str, names: Sequence[str] | None) -> "array[float]":
        """A row with nulls, where the model takes missing values."""
        if self.nullable:
            try:
                values = array("d", [np.nan if value is None else value for value in features])
            except (TypeError, OverflowError):
                pass
            else:
                if within(np.frombuffer(values), self.datatype, True).all():
                    return values
        self._name_the_culprit(features, field, names)

    def _are_whole(self, values: FloatArray) -> bool:
        """Whether the columns of whole numbers hold such; `values` is a row or rows of them."""
        chosen = values[..., list(self.whole)]
        return bool(((chosen == np.floor(chosen)) | np.isnan(chosen)).all())

    def _name_the_culprit(self, features: list[Any], field: str, names: Sequence[str] | None) -> NoReturn:
        """Raise for the first value that does not fit."""
        for position, value in enumerate(features):
            datatype = "INT64" if position in self.whole else "FP64"
            wrong = complaint(value, datatype, self.nullable)
            if wrong is not None:
                place = f"{field}[{position}]" if names is None else f"{field}.{names[position]}"
                raise InvalidInput(place, f"{place} {wrong}", value)
        raise InvalidInput(field, f"{field} does not fit; send {self._wanted}")

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
            values = np.frombuffer(packed("d", list(chain.from_iterable(rows)))).reshape(-1, width)
        except (TypeError, OverflowError):
            return self._all_with_gaps(rows, width) if self.nullable else None
        return values if self._are_good(values) else None

    def _are_good(self, values: FloatArray) -> bool:
        """Whether the model takes all of these numbers."""
        return bounded(values) and self._whole_enough(values)

    def _all_with_gaps(self, rows: list[list[float]], width: int) -> FloatArray | None:
        """The whole batch, with NaN for null; None when any row is bad for another reason."""
        filled = [np.nan if value is None else value for value in chain.from_iterable(rows)]
        try:
            values = np.frombuffer(packed("d", filled)).reshape(-1, width)
        except (TypeError, OverflowError):
            return None
        return values if within(values, "FP64", True).all() and self._whole_enough(values) else None

    def _whole_enough(self, values: FloatArray) -> bool:
        return not self.whole or self._are_whole(values)

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
                signature = replace(signature, features=len(values))
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
        return self._numbers(values, name)

    def _columns(self, given: Sequence[Tensor]) -> FloatArray:
        """Tensors of one column each, by their names."""
        columns = {tensor.name: tensor.array for tensor in given}
        if self.names is None or len(columns) != len(given):
            names = ", ".join(tensor.name for tensor in given)
            raise InvalidInput("inputs", f"there are {len(given)} inputs ({names}); send one of shape [rows, features]")
        arrays: list[Any] = self._in_order(dict(columns), "inputs")
        ordered = [column(array, name, self.nullable) for array, name in zip(arrays, self.names, strict=True)]
        if len(set(map(len, ordered))) != 1:
            raise InvalidInput("inputs", "the inputs have different numbers of rows; send as many in each")
        check_rows(len(ordered[0]), "inputs")
        return self._numbers(np.stack(ordered, axis=1), "inputs")

    def _numbers(self, values: Array, name: str) -> FloatArray:
        """(rows, features) as float64, if they are numbers that the model can take."""
        found: FloatArray = cast(values, name, "FP64", self.nullable)
        if self.whole and not self._are_whole(found):
            fit = np.full(found.shape, True)
            chosen = found[:, list(self.whole)]
            fit[:, list(self.whole)] = (chosen == np.floor(chosen)) | np.isnan(chosen)
            refuse(found, fit, name, "is not whole; send a whole number")
        return found


def column(values: Array, name: str, nullable: bool = False) -> FloatArray:
    """One column's numbers, of shape [rows] or [rows, 1]."""
    flat = flattened(values, name)
    numbers: FloatArray = cast(flat, name, "FP64", nullable)
    return numbers


def flattened(values: Array, name: str) -> Array:
    """[rows] of a column that may have come as [rows, 1]; InvalidInput for any other shape, and for no rows."""
    if values.ndim == 0 or values.size != len(values) or values.ndim > 2 or values.size == 0:
        raise InvalidInput(f"{name}.shape", f"{name} has the shape {list(values.shape)}; send [rows] or [rows, 1]")
    return values.reshape(-1)
