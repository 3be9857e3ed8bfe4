"""Tensors of any shape: one or several named inputs of (rows, …), as networks for images and sequences take them.

A row is a nested array where there is one input, an object by the inputs' names where there are several.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.signature.base import MAX_FEATURES, Rows, check_batch, check_rows, kind
from mlneuron_runtime.signature.values import array_of, cast, complaint, noun
from mlneuron_runtime.tensors import DTYPES, Array, Inputs, Tensor, TensorSpec

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Tensors:
    """The inputs in the model's order; None in a shape is a dimension that may be any."""

    inputs: tuple[TensorSpec, ...]

    @property
    def features(self) -> int | None:
        """Values in a row of the only input, where its shape is known."""
        sizes = [] if len(self.inputs) > 1 else list(self.inputs[0].shape)
        return None if not sizes or None in sizes else int(np.prod(sizes))  # type: ignore[arg-type]  # just tested

    @property
    def names(self) -> tuple[str, ...] | None:
        return None if len(self.inputs) == 1 else tuple(spec.name for spec in self.inputs)

    def row(self, features: object, field: str = "features") -> Inputs:
        if len(self.inputs) == 1:
            return (nested(features, self.inputs[0], field),)
        given = self._in_order(features, field)
        return tuple(
            nested(value, spec, f"{field}.{spec.name}") for value, spec in zip(given, self.inputs, strict=True)
        )

    def rows(self, batch: object, field: str = "batch_features") -> Rows:
        """Where a dimension may be any, the first good row sets it, since one call takes one shape."""
        signature = self
        good: dict[int, Inputs] = {}
        faults: dict[int, InvalidInput] = {}
        given = check_batch(batch, field, self._wanted)
        for position, features in enumerate(given):
            try:
                arrays = signature.row(features, f"{field}[{position}]")
            except InvalidInput as fault:
                faults[position] = fault
            else:
                if not good:
                    signature = self._shaped(arrays)
                good[position] = arrays
        stacked = tuple(map(np.concatenate, zip(*good.values(), strict=True))) if good else self._none()
        return Rows(stacked, len(given), list(good), faults)

    def tensors(self, given: Sequence[Tensor]) -> Inputs:
        if len(given) == 1 and len(self.inputs) == 1:
            arrays = [given[0].array]
        else:
            arrays = self._in_order({tensor.name: tensor.array for tensor in given}, "inputs")
        made = tuple(self._tensor(array, spec) for array, spec in zip(arrays, self.inputs, strict=True))
        if len(set(map(len, made))) != 1:
            raise InvalidInput("inputs", "the inputs have different numbers of rows; send as many in each")
        check_rows(len(made[0]), "inputs")
        return made

    def example(self, probe: float) -> Inputs | None:
        if any(None in spec.shape for spec in self.inputs):
            return None
        return tuple(filled(spec, probe) for spec in self.inputs)

    @cached_property
    def _wanted(self) -> str:
        if len(self.inputs) == 1:
            return array_in_words(self.inputs[0])
        return "an object of " + ", ".join(f"{spec.name} ({array_in_words(spec)})" for spec in self.inputs)

    def _in_order(self, given: object, field: str) -> list[Any]:
        """The values of an object in the order of the inputs."""
        if not isinstance(given, dict):
            raise InvalidInput(field, f"{field} is {kind(given)}; send {self._wanted}", given)
        for spec in self.inputs:
            if spec.name not in given:
                raise InvalidInput(f"{field}.{spec.name}", f"{field} lacks '{spec.name}'; send {self._wanted}")
        if len(given) != len(self.inputs):
            unknown = next(name for name in given if name not in (self.names or ()))
            raise InvalidInput(field, f"{field} has an unknown input; send {', '.join(self.names or ())}", unknown)
        return [given[spec.name] for spec in self.inputs]

    def _tensor(self, array: Array, spec: TensorSpec) -> Array:
        wanted = spec.wire_shape
        if spec.shape == (1,) and array.ndim == 1:
            array = array.reshape(-1, 1)
        fits = array.ndim == len(wanted) and all(
            size in (-1, given) for size, given in zip(wanted, array.shape, strict=True)
        )
        if not fits or array.size == 0:
            told = f"{spec.name} has the shape {list(array.shape)}; send {['rows', *wanted[1:]]}".replace(
                "'rows'", "rows"
            )
            raise InvalidInput(f"{spec.name}.shape", told.replace("-1", "any"))
        return cast(array, spec.name, spec.datatype)

    def _shaped(self, arrays: Inputs) -> "Tensors":
        """With the shapes of a row."""
        return replace(
            self,
            inputs=tuple(replace(spec, shape=array.shape[1:]) for spec, array in zip(self.inputs, arrays, strict=True)),
        )

    def _none(self) -> Inputs:
        """No rows."""
        return tuple(np.empty((0, *(size or 0 for size in spec.shape)), DTYPES[spec.datatype]) for spec in self.inputs)


def nested(value: object, spec: TensorSpec, field: str) -> Array:
    """(1, …) of one row's nested arrays; InvalidInput for the first place that does not fit."""
    level: list[Any] = [value]
    shape: list[int] = []
    for wanted in spec.shape:
        if set(map(type, level)) != {list}:
            name_the_culprit(value, spec, field)
        sizes = set(map(len, level))
        size = wanted if wanted is not None else len(level[0])
        if sizes != {size} or size == 0 or size * len(level) > MAX_FEATURES:
            name_the_culprit(value, spec, field)
        shape.append(size)
        level = list(chain.from_iterable(level))
    made = array_of(level, spec.datatype)
    if made is None:
        name_the_culprit(value, spec, field)
        raise AssertionError  # the culprit was named
    return made.reshape(1, *shape)


def name_the_culprit(value: object, spec: TensorSpec, field: str) -> None:
    """Raise for the first place of a row that does not fit."""
    sizes: list[int | None] = list(spec.shape)
    look(value, sizes, 0, spec, field)
    raise InvalidInput(field, f"{field} holds more than {MAX_FEATURES} values; send {array_in_words(spec)}")


def look(value: object, sizes: list[int | None], depth: int, spec: TensorSpec, place: str) -> None:
    """Depth first; a dimension that may be any is set in `sizes` by the first array that is met there."""
    if depth == len(sizes):
        wrong = complaint(value, spec.datatype)
        if wrong is not None:
            raise InvalidInput(place, f"{place} {wrong}", value)
        return
    if not isinstance(value, list):
        raise InvalidInput(place, f"{place} is {kind(value)}; send {array_in_words(spec, depth)}", value)
    if sizes[depth] is None and value:
        sizes[depth] = len(value)
    if len(value) != sizes[depth]:
        wanted = array_in_words(replace(spec, shape=tuple(sizes)), depth)
        raise InvalidInput(place, f"{place} has {len(value)} values; send {wanted}")
    for position, inner in enumerate(value):
        look(inner, sizes, depth + 1, spec, f"{place}[{position}]")


def array_in_words(spec: TensorSpec, depth: int = 0) -> str:
    """ "an array of 3 x 224 x any numbers"."""
    shape = spec.shape[depth:]
    word = noun(spec.datatype)
    if not shape:
        return word
    plural = {"a number": "numbers", "a whole number": "whole numbers", "a string": "strings"}.get(
        word, "true or false"
    )
    return f"an array of {' x '.join('any' if size is None else str(size) for size in shape)} {plural}"


def filled(spec: TensorSpec, probe: float) -> Array:
    """(1, …) of one value throughout."""
    value: object = "" if spec.datatype == "BYTES" else probe
    dtype = DTYPES[spec.datatype]
    return np.full((1, *spec.shape), round(probe) if dtype.kind in "iu" else value, dtype=dtype)  # type: ignore[arg-type]  # None was tested
