"""What a model takes, and how a request's JSON becomes the array it takes.

Pure. A list of numbers becomes a numpy array through `array.array`, whose C loop accepts numbers only (a
string, null or nested list raises) and is as fast as `numpy.array`, which would turn `"1.5"` into 1.5 and
null into NaN.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from mlneuron_runtime.errors import InvalidInput, TooManyRows

FloatArray = NDArray[np.float64]

LARGEST = float(np.finfo(np.float32).max)
"""Trees, xgboost and torch compute in 32-bit floats: a larger number would reach them as infinity."""

MAX_ROWS = 10_000
"""Rows in one request: bounds the answer, which is several times larger than the narrowest rows that ask for
it.
"""

KINDS: Mapping[type, str] = {
    str: "a string", bool: "a boolean", int: "a number", float: "a number",
    list: "an array", dict: "an object", type(None): "null",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one request that fit the signature, and what is wrong with the others.

    `values` is (good rows, features); `positions` are the good rows' places in the request, `faults` the
    others'.
    """

    values: FloatArray
    total: int
    positions: Sequence[int]
    faults: Mapping[int, InvalidInput] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signature:
    """`features` numbers a row; None where the model does not say, and then any length is taken."""

    features: int | None
    names: tuple[str, ...] | None = None

    def row(self, features: object, field: str = "features") -> Rows:
        """One row, or InvalidInput that names the field and the mend."""
        return Rows(self._row(features, field).reshape(1, -1), 1, range(1))

    def rows(self, batch: object, field: str = "batch_features") -> Rows:
        """Many rows; a bad one is told in `faults`, and only a batch that is no batch at all raises."""
        if not isinstance(batch, list):
            raise InvalidInput(field, f"{field} is {kind(batch)}; send an array of rows, each {self._wanted()}", batch)
        if not batch:
            raise InvalidInput(field, f"{field} is empty; send at least one row, each {self._wanted()}")
        if len(batch) > MAX_ROWS:
            raise TooManyRows(field, f"{field} has {len(batch)} rows; send at most {MAX_ROWS} in one request")
        values = self._all_at_once(batch)
        if values is not None:
            return Rows(values, len(batch), range(len(batch)))
        return self._one_by_one(batch, field)

    def _wanted(self) -> str:
        return "an array of numbers" if self.features is None else f"an array of {self.features} numbers"

    def _row(self, features: object, field: str) -> FloatArray:
        if not isinstance(features, list):
            raise InvalidInput(field, f"{field} is {kind(features)}; send {self._wanted()}", features)
        if not features or len(features) != (self.features or len(features)):
            raise InvalidInput(field, f"{field} has {len(features)} values; send {self._wanted()}")
        try:
            values = np.frombuffer(array("d", features))
        except (TypeError, OverflowError):
            name_the_culprit(features, field)
        if not np.abs(values).max() <= LARGEST:
            name_the_culprit(features, field)
        return values

    def _all_at_once(self, batch: list[object]) -> FloatArray | None:
        """The whole batch with no Python work a row beyond its type and length; None when any row is bad."""
        if set(map(type, batch)) != {list}:
            return None
        rows: list[list[float]] = batch  # type: ignore[assignment]  # the line above is the proof
        widths = set(map(len, rows))
        width = self.features or len(rows[0])
        if widths != {width} or width == 0:
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
                signature = Signature(len(values), self.names)
        stacked = np.array(list(good.values())) if good else np.empty((0, self.features or 0))
        return Rows(stacked, len(batch), list(good), faults)


def kind(value: object) -> str:
    """The JSON type of a value, with its article."""
    return KINDS[type(value)]


def name_the_culprit(features: list[object], field: str) -> NoReturn:
    """Raise for the first value that is not a number a model can take."""
    for position, value in enumerate(features):
        place = f"{field}[{position}]"
        if not isinstance(value, bool | int | float):
            raise InvalidInput(place, f"{place} is {kind(value)}; send a number", value)
        if not abs(value) <= LARGEST:
            bounds = "send a finite number between -3.4e38 and 3.4e38 (a 32-bit float)"
            raise InvalidInput(place, f"{place} is out of range; {bounds}", value)
    raise AssertionError("every value is a number in range")
