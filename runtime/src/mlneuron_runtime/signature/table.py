"""Columns of mixed kinds: numbers, texts, booleans, each an array of its own. The signature of models that were
trained on data frames with more than numbers.

A row is an object by the columns' names, or an array in their order. Tensors come one a column, [rows] or [rows, 1];
where all columns are numbers, or all are texts, one of [rows, columns] will do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any

import numpy as np

from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.signature.base import Rows, check_batch, check_rows, kind
from mlneuron_runtime.signature.matrix import flattened
from mlneuron_runtime.signature.values import BOOLEAN, NUMBERS, TEXT, WHOLES, array_of, cast, complaint, refuse
from mlneuron_runtime.tensors import DTYPES, Array, Inputs, Tensor, TensorSpec

SHOWN_CHOICES = 10
"""So many of the values that a column takes are told in an error."""


@dataclass(frozen=True)
class Column:
    """One column. `nullable`: null is a value (None among texts, NaN among numbers). `choices`: the only values, where
    the model raises on others.
    """

    name: str
    datatype: str = "FP64"
    nullable: bool = False
    choices: frozenset[Any] | None = None

    def array(self, values: Sequence[Any]) -> Array | None:
        """The column's values; None when any does not fit."""
        made = array_of(values, self.datatype, self.nullable)
        if made is None or self.choices is None:
            return made
        known = self.choices | {None} if self.nullable else self.choices
        return made if known.issuperset(values) else None

    def check(self, value: object, place: str) -> None:
        """Raise InvalidInput if the value does not fit."""
        wrong = complaint(value, self.datatype, self.nullable)
        if wrong is None and self.array([value]) is None:
            wrong = self._unknown
        if wrong is not None:
            raise InvalidInput(place, f"{place} {wrong}", value)

    def tensor(self, values: Array) -> Array:
        """A tensor that a caller sent for this column; raises InvalidInput."""
        made = cast(flattened(values, self.name), self.name, self.datatype, self.nullable)
        if self.choices is not None:
            fit = np.array([value in self.choices or (self.nullable and missing(value)) for value in made.tolist()])
            if not fit.all():
                refuse(made, fit, self.name, self._unknown)
        return made

    @property
    def _unknown(self) -> str:
        """The complaint about a value that is none of the choices."""
        known = sorted(map(str, self.choices or ()))
        told = ", ".join(known[:SHOWN_CHOICES]) + (", …" if len(known) > SHOWN_CHOICES else "")
        return f"is a value that the model was not trained with; send one of {told}"

    def example(self, probe: float) -> Array:
        """One value to warm the model with."""
        if self.choices:
            return array_of([sorted(self.choices, key=str)[0]], self.datatype) or np.array([None], dtype=object)
        if self.datatype == TEXT:
            return np.array([""], dtype=object)
        return np.array([round(probe) if self.datatype in WHOLES else probe], dtype=DTYPES[self.datatype])


@dataclass(frozen=True)
class Table:
    """The columns in the model's order. Those `ignored` may be sent and are not read: the model was trained beside
    them, without them.
    """

    columns: tuple[Column, ...]
    ignored: frozenset[str] = frozenset()

    @cached_property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec(column.name, column.datatype, (1,)) for column in self.columns)

    @property
    def features(self) -> int | None:
        return len(self.columns)

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        return tuple(column.name for column in self.columns)

    def row(self, features: object, field: str = "features") -> Inputs:
        values = self._ordered(features, field)
        arrays = tuple(column.array([value]) for column, value in zip(self.columns, values, strict=True))
        if any(array is None for array in arrays):
            self._check(features, values, field)
        return arrays  # type: ignore[return-value]  # the lines above are the proof

    def rows(self, batch: object, field: str = "batch_features") -> Rows:
        given = check_batch(batch, field, self._wanted)
        arrays = self._all_at_once(given)
        if arrays is not None:
            return Rows(arrays, len(given), range(len(given)))
        return self._one_by_one(given, field)

    def tensors(self, given: Sequence[Tensor]) -> Inputs:
        if len(given) == 1 and given[0].array.ndim == 2 and len(self.columns) > 1 and self._one_kind:
            arrays = self._split(given[0])
        else:
            arrays = self._by_name(given)
        made = tuple(column.tensor(array) for column, array in zip(self.columns, arrays, strict=True))
        if len(set(map(len, made))) != 1:
            raise InvalidInput("inputs", "the inputs have different numbers of rows; send as many in each")
        check_rows(len(made[0]), "inputs")
        return made

    def example(self, probe: float) -> Inputs | None:
        return tuple(column.example(probe) for column in self.columns)

    @cached_property
    def _wanted(self) -> str:
        told = ", ".join(f"{column.name} ({kind_of(column.datatype)})" for column in self.columns)
        return f"an object, or an array in this order, of {told}"

    @cached_property
    def _one_kind(self) -> bool:
        """Whether one tensor can hold all columns."""
        datatypes = {column.datatype for column in self.columns}
        return datatypes <= NUMBERS or len(datatypes) == 1

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names or ()) | self.ignored

    def _ordered(self, row: object, field: str) -> Sequence[object]:
        """A row's values in the order of the columns."""
        if isinstance(row, dict):
            return self._in_order(row, field)
        if not isinstance(row, list):
            raise InvalidInput(field, f"{field} is {kind(row)}; send {self._wanted}", row)
        if len(row) != len(self.columns):
            raise InvalidInput(field, f"{field} has {len(row)} values; send {self._wanted}")
        return row

    def _in_order(self, row: Mapping[str, Any], field: str) -> list[Any]:
        try:
            ordered = [row[column.name] for column in self.columns]
        except KeyError as error:
            name = error.args[0]
            raise InvalidInput(f"{field}.{name}", f"{field} lacks '{name}'; send {self._wanted}") from None
        if len(row) != len(ordered):
            unknown = next((name for name in row if name not in self._known), None)
            if unknown is not None:
                raise InvalidInput(field, f"{field} has an unknown column; send {', '.join(self.names or ())}", unknown)
        return ordered

    def _check(self, row: object, values: Sequence[object], field: str) -> None:
        """Raise for the first value that does not fit, by its name where the row has names."""
        by_name = isinstance(row, dict)
        for position, (column, value) in enumerate(zip(self.columns, values, strict=True)):
            column.check(value, f"{field}.{column.name}" if by_name else f"{field}[{position}]")

    def _all_at_once(self, batch: list[Any]) -> Inputs | None:
        """The whole batch, column by column; None when any row is bad."""
        kinds = set(map(type, batch))
        width = len(self.columns)
        if len(kinds) != 1 or set(map(len, batch)) != {width} if kinds <= {dict, list} else True:
            return None
        try:
            columns = zip(*batch, strict=True) if kinds == {list} else self._picked(batch)
            arrays = tuple(column.array(values) for column, values in zip(self.columns, columns, strict=True))
        except KeyError:
            return None
        return None if any(array is None for array in arrays) else arrays  # type: ignore[return-value]  # just tested

    def _picked(self, batch: list[dict[str, Any]]) -> list[list[Any]]:
        return [list(map(itemgetter(column.name), batch)) for column in self.columns]

    def _one_by_one(self, batch: list[object], field: str) -> Rows:
        """Which rows are good, and what is wrong with the others."""
        good, faults = {}, {}
        for position, row in enumerate(batch):
            place = f"{field}[{position}]"
            try:
                values = self._ordered(row, place)
                self._check(row, values, place)
            except InvalidInput as fault:
                faults[position] = fault
            else:
                good[position] = values
        kept = list(zip(*good.values(), strict=True)) if good else [()] * len(self.columns)
        arrays = tuple(column.array(values) for column, values in zip(self.columns, kept, strict=True))
        return Rows(arrays, len(batch), list(good), faults)  # type: ignore[arg-type]  # each value was checked

    def _split(self, tensor: Tensor) -> list[Array]:
        """The columns of one tensor that holds all of them."""
        if tensor.array.shape[1] != len(self.columns) or 0 in tensor.array.shape:
            shape = f"[rows, {len(self.columns)}]"
            raise InvalidInput(
                f"{tensor.name}.shape", f"{tensor.name} has the shape {list(tensor.array.shape)}; send {shape}"
            )
        return [tensor.array[:, place] for place in range(len(self.columns))]

    def _by_name(self, given: Sequence[Tensor]) -> list[Array]:
        if len(given) == 1 and len(self.columns) == 1:
            return [given[0].array]
        named = {tensor.name: tensor.array for tensor in given}
        if len(named) != len(given):
            raise InvalidInput("inputs", f"two inputs have one name; send {', '.join(self.names or ())}")
        return self._in_order(named, "inputs")


def missing(value: object) -> bool:
    """None, or NaN, which is not itself."""
    return value is None or value != value


def kind_of(datatype: str) -> str:
    """What a column holds, in one word."""
    if datatype == TEXT:
        return "string"
    return "boolean" if datatype == BOOLEAN else "whole number" if datatype in WHOLES else "number"
