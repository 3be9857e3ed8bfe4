"""Values of JSON and of tensors as arrays of one datatype, or what is wrong with the first that does not fit.

A list of numbers becomes an array through `array.array` or, if it is long, `struct.pack`, whose C loops accept numbers
only (a string, null or nested list raises); `numpy.array` would turn `"1.5"` into 1.5 and null into NaN.

Where a model takes missing values (`nullable`), null is NaN among numbers, and None among texts.
"""

import struct
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.signature.base import kind
from mlneuron_runtime.tensors import DTYPES, Array, FloatArray, datatype_of

FLOATS = frozenset({"FP16", "FP32", "FP64"})
WHOLES = frozenset({"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
NUMBERS = FLOATS | WHOLES
TEXT, BOOLEAN = "BYTES", "BOOL"

LARGEST = float(np.finfo(np.float32).max)
"""Trees, xgboost and torch compute in 32-bit floats: a larger number would reach them as infinity."""

LARGEST_HALF = float(np.finfo(np.float16).max)

SHORT = 64
"""Up to so many numbers, what Python has itself beats what has to be set up first."""

BOUNDS = "send a finite number between -3.4e38 and 3.4e38 (a 32-bit float)"
HALF_BOUNDS = "send a finite number between -65504 and 65504 (a 16-bit float)"


def array_of(values: Sequence[Any], datatype: str, nullable: bool = False) -> Array | None:
    """The values as a flat array of the datatype; None when any does not fit."""
    if datatype in FLOATS:
        return _floats(values, datatype, nullable)
    if datatype in WHOLES:
        return _wholes(values, datatype)
    kinds = set(map(type, values))
    if datatype == BOOLEAN:
        return np.array(values, dtype=np.bool_) if kinds <= {bool} else None
    return texts(values) if kinds <= ({str, type(None)} if nullable else {str}) else None


def packed(code: str, values: Sequence[Any]) -> "array[Any] | bytearray":
    """The numbers' bytes, writable, by a code of `array`; TypeError or OverflowError for what is no such number."""
    if len(values) <= SHORT:
        return array(code, values)
    try:
        return bytearray(struct.pack(f"{len(values)}{code}", *values))
    except struct.error as error:
        raise TypeError(str(error)) from error


def texts(values: Sequence[Any]) -> Array:
    """As an array of objects, whatever the values are."""
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def _floats(values: Sequence[Any], datatype: str, nullable: bool) -> Array | None:
    if nullable and None in values:
        values = [np.nan if value is None else value for value in values]
    try:
        found = np.frombuffer(packed("d", values)) if values else np.empty(0)
    except (TypeError, OverflowError):
        return None
    return found.astype(DTYPES[datatype], copy=False) if within(found, datatype, nullable).all() else None


def _wholes(values: Sequence[Any], datatype: str) -> Array | None:
    kinds = set(map(type, values))
    if not kinds <= {int, bool, float}:
        return None
    if float in kinds:
        if not all(float(value).is_integer() for value in values if type(value) is float):
            return None
        values = list(map(int, values))
    try:
        return np.array(values, dtype=DTYPES[datatype])
    except OverflowError:
        return None


def in_range(values: Sequence[float]) -> bool:
    """Whether all are finite as 32-bit floats."""
    if len(values) <= SHORT:
        total = sum(values)  # not itself if one of them is not a number
        return total == total and max(values) <= LARGEST and min(values) >= -LARGEST
    return bounded(np.asarray(values))


def bounded(numbers: FloatArray) -> bool:
    """The same of an array that is not empty."""
    if numbers.size <= SHORT:
        return in_range(numbers.ravel().tolist())
    return bool(numbers.max() <= LARGEST and numbers.min() >= -LARGEST)


def within(numbers: FloatArray, datatype: str, nullable: bool) -> Array:
    """Which of the numbers are in the range of the floats that models compute in."""
    fit: Array = np.abs(numbers) <= (LARGEST_HALF if datatype == "FP16" else LARGEST)
    return fit | np.isnan(numbers) if nullable else fit


def complaint(value: object, datatype: str, nullable: bool = False) -> str | None:
    """What is wrong with a JSON value, with its mend: "is a string; send a number". None where it fits."""
    if value is None and nullable:
        return None
    if array_of([value], datatype, nullable) is not None:
        return None
    wanted = noun(datatype) + (" or null" if nullable else "")
    if datatype not in NUMBERS or not isinstance(value, bool | int | float):
        return f"is {kind(value)}; send {wanted}"
    if datatype in FLOATS:
        return f"is out of range; {HALF_BOUNDS if datatype == 'FP16' else BOUNDS}"
    if isinstance(value, float) and not value.is_integer():
        return f"is not whole; send {wanted}"
    return f"is out of range; {whole_bounds(datatype)}"


def noun(datatype: str) -> str:
    """What to send of a datatype, in words."""
    if datatype in FLOATS:
        return "a number"
    if datatype in WHOLES:
        return "a whole number"
    return "true or false" if datatype == BOOLEAN else "a string"


def whole_bounds(datatype: str) -> str:
    limits = np.iinfo(DTYPES[datatype])
    return f"send a whole number from {limits.min} to {limits.max}"


def cast(values: Array, name: str, datatype: str, nullable: bool = False) -> Array:
    """A tensor that a caller sent, in the datatype that the model takes; InvalidInput where any value does not fit."""
    sent = datatype_of(values)
    if (sent == TEXT) != (datatype == TEXT) or (datatype == BOOLEAN and sent != BOOLEAN):
        raise InvalidInput(f"{name}.datatype", f"{name} is {sent}; send {mend(datatype)}")
    if datatype == TEXT:
        return _cast_text(values, name, nullable)
    if datatype in FLOATS:
        numbers = values.astype(np.float64, copy=False)
        if numbers.size and datatype != "FP16" and bounded(numbers):
            return values.astype(DTYPES[datatype], copy=False)
        fit = within(numbers, datatype, nullable)
        wrong = f"is out of range; {HALF_BOUNDS if datatype == 'FP16' else BOUNDS}"
    else:
        limits = np.iinfo(DTYPES[datatype]) if datatype != BOOLEAN else None
        fit = np.full(values.shape, True) if limits is None else _whole_and_within(values, limits)
        wrong = f"does not fit {datatype}; {'' if limits is None else whole_bounds(datatype)}"
    if not fit.all():
        refuse(values, fit, name, wrong)
    return values.astype(DTYPES[datatype], copy=False)


def mend(datatype: str) -> str:
    """What datatype to send instead, in the protocol's words."""
    return datatype if datatype in {TEXT, BOOLEAN} else f"numbers, such as {datatype}"


def _whole_and_within(values: Array, limits: Any) -> Array:
    """Compared as floats, where the largest 64-bit integers are rounded up; so the largest itself is none."""
    if values.dtype.kind in "bui":
        fit: Array = (values >= max(limits.min, _least(values))) & (values <= min(limits.max, _most(values)))
        return fit
    with np.errstate(invalid="ignore"):
        below = values < float(limits.max) if limits.bits == 64 else values <= float(limits.max)
        fit = (values == np.floor(values)) & (values >= float(limits.min)) & below
    return fit


def _least(values: Array) -> int:
    return 0 if values.dtype.kind == "b" else int(np.iinfo(values.dtype).min)


def _most(values: Array) -> int:
    return 1 if values.dtype.kind == "b" else int(np.iinfo(values.dtype).max)


def _cast_text(values: Array, name: str, nullable: bool) -> Array:
    kinds = {str, type(None)} if nullable else {str}
    if not set(map(type, values.flat)) <= kinds:
        fit = np.array([type(value) in kinds for value in values.flat]).reshape(values.shape)
        refuse(values, fit, name, "is not a string; send a string")
    return values


def refuse(values: Array, fit: Array, name: str, wrong: str) -> None:
    """Raise for the first value that does not fit, by its place."""
    place = np.argwhere(~fit)[0]
    where = f"{name}{''.join(f'[{index}]' for index in place)}"
    value = values[tuple(place)]
    raise InvalidInput(where, f"{where} {wrong}", value.item() if isinstance(value, np.generic) else value)
