"""The Open Inference Protocol's requests and answers in JSON, with or without raw bytes behind. Pure.

    {"id": "1", "inputs": [{"name": "features", "datatype": "FP64", "shape": [2, 2], "data": [1, 2, 3, 4]}],
     "outputs": [{"name": "prediction"}]}
    -> {"model_name": "sum", "model_version": "1", "id": "1",
        "outputs": [{"name": "prediction", "datatype": "FP64", "shape": [2], "data": [3.0, 7.0]}]}

A list of numbers becomes an array through C loops that accept numbers only, and whole ones only where the datatype is
whole. An input or output with `binary_data_size` has its data behind the JSON.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NoReturn

import numpy as np

from mlneuron_runtime.errors import UNSAID, InvalidInput
from mlneuron_runtime.signature.base import kind
from mlneuron_runtime.signature.values import SHORT, packed
from mlneuron_runtime.tensors import DTYPES, Array, Tensor, datatype_of
from mlneuron_runtime.transport import numbers as read_numbers
from mlneuron_runtime.transport.binary import array_of, bytes_of, objects, strings
from mlneuron_runtime.transport.oip import (
    Asked,
    Told,
    Wanted,
    check_datatype,
    check_parameters,
    check_shape,
    timeout_of,
)
from mlneuron_runtime.transport.wire import encode

CODES: Mapping[str, str] = {
    "BOOL": "B", "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q",
    "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q", "FP16": "d", "FP32": "f", "FP64": "d",
}  # fmt: skip
"""Of `array`, for the datatypes that are numbers. FP16 has none and is made of FP64."""

NARROW = frozenset({"FP16", "FP32"})
"""Datatypes that a JSON number may be too large for."""

EXAMPLE = '[{"name": "features", "datatype": "FP64", "shape": [1, 2], "data": [1, 2]}]'

SIZE = "binary_data_size"


def asked(request: Mapping[str, Any], raw: memoryview | None = None) -> Asked:
    """What a request asks, or InvalidInput. `raw` is what lies behind its JSON."""
    parameters = parameters_of(request, "")
    outputs = request.get("outputs")
    identifier = request.get("id")
    if identifier is not None and not isinstance(identifier, str):
        raise InvalidInput("id", f"id is {kind(identifier)}; send a string", identifier)
    return Asked(
        tensors(request.get("inputs", UNSAID), raw),
        () if not outputs else wanted(outputs),
        identifier or "",
        timeout_of(parameters) if parameters else None,
        binary=bool(parameters) and flag(parameters, "binary_data_output", "parameters") is True,
    )


def parameters_of(given: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    """Of a request or tensor; none is an empty one."""
    parameters = given.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise InvalidInput(f"{place}parameters", f"{place}parameters is {kind(parameters)}; send an object", parameters)
    return parameters


def flag(parameters: Mapping[str, Any], name: str, place: str) -> bool | None:
    """A parameter that is true or false; None where it is not there."""
    value = parameters.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidInput(f"{place}.{name}", f"{place}.{name} is {kind(value)}; send true or false", value)
    return value


def wanted(outputs: object) -> list[Wanted]:
    """The outputs that are asked for."""
    if not isinstance(outputs, list):
        raise InvalidInput("outputs", f'outputs is {kind(outputs)}; send an array such as [{{"name": "prediction"}}]')
    found = []
    for position, output in enumerate(outputs):
        place = f"outputs[{position}]"
        if not isinstance(output, dict) or not isinstance(output.get("name"), str):
            raise InvalidInput(place, f'{place} names no output; send an object such as {{"name": "prediction"}}')
        parameters = parameters_of(output, f"{place}.")
        check_parameters(parameters, place)
        found.append(Wanted(output["name"], flag(parameters, "binary_data", f"{place}.parameters")))
    return found


def tensors(inputs: object, raw: memoryview | None) -> list[Tensor]:
    """The inputs; what lies behind the JSON is theirs in the order that they come, to its last byte."""
    if not isinstance(inputs, list) or not inputs:
        found = "missing" if inputs is UNSAID else "empty" if inputs == [] else kind(inputs)
        raise InvalidInput("inputs", f"inputs is {found}; send an array such as {EXAMPLE}")
    left = memoryview(b"") if raw is None else raw
    found_tensors = []
    for position, given in enumerate(inputs):
        tensor, left = taken(given, f"inputs[{position}]", left)
        found_tensors.append(tensor)
    if left:
        raise InvalidInput(
            "body", f"{len(left)} bytes are left behind the inputs; make each binary_data_size the size of its data"
        )
    return found_tensors


def taken(given: object, place: str, raw: memoryview) -> tuple[Tensor, memoryview]:
    """One input, and the bytes that are left for the next."""
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise InvalidInput(place, f"{place} must be an object with a name; send inputs such as {EXAMPLE}")
    datatype = check_datatype(given.get("datatype"), place)
    shape = check_shape(given.get("shape"), place)
    parameters = parameters_of(given, f"{place}.")
    if parameters:
        check_parameters(parameters, place)
    if SIZE not in parameters:
        return Tensor(given["name"], dense(given.get("data", UNSAID), datatype, shape, f"{place}.data")), raw
    size = binary_size(parameters[SIZE], len(raw), f"{place}.parameters.{SIZE}")
    if given.get("data") is not None:
        raise InvalidInput(f"{place}.data", f"{place} has data in JSON and as bytes; send one of them")
    return Tensor(given["name"], array_of(raw[:size], datatype, shape, f"{place}.data")), raw[size:]


def binary_size(size: object, left: int, place: str) -> int:
    """The parameter, if so many bytes are there."""
    if type(size) is not int or size < 0:
        raise InvalidInput(place, f"{place} must be a number of bytes; send a whole number", size)
    if size > left:
        raise InvalidInput(
            place, f"{place} is {size}, and {left} bytes are left behind the JSON; send them, and the header "
            "Inference-Header-Content-Length with the length of the JSON",
        )  # fmt: skip
    return size


def dense(data: object, datatype: str, shape: list[int], place: str) -> Array:
    """The tensor of JSON data, flat or nested as the shape says. Raises Unusual for what was read as numbers, and is to
    be read in the usual way.
    """
    if isinstance(data, np.ndarray):
        return read_numbers.shaped(data, datatype, shape)
    if not isinstance(data, list):
        found = "missing" if data is UNSAID else kind(data)
        raise InvalidInput(place, f"{place} is {found}; send an array of {math.prod(shape)} values")
    if data and type(data[0]) is list:
        flat = flattened(data, shape, place)
    elif len(data) == math.prod(shape):
        flat = data
    else:
        raise InvalidInput(
            place, f"{place} has {len(data)} values; the shape {shape} takes {math.prod(shape)}, send as many"
        )
    if datatype == "BYTES":
        return texts_of(flat, place).reshape(shape)
    values = numbers_of(flat, datatype, place)
    if datatype in NARROW and not np.isfinite(values).all():
        name_the_culprit(flat, datatype, place)
    return values.reshape(shape)


def flattened(data: list[Any], shape: list[int], place: str) -> list[Any]:
    """The values of nested lists, each level of the length that the shape says."""
    level = data
    for depth, size in enumerate(shape):
        if depth:
            if set(map(type, level)) != {list} or set(map(len, level)) != {size}:
                raise misshapen(shape, place)
            level = list(chain.from_iterable(level))
        elif len(level) != size:
            raise misshapen(shape, place)
    return level


def misshapen(shape: list[int], place: str) -> InvalidInput:
    return InvalidInput(place, f"{place} is not nested as its shape {shape} says; send it so, or as one flat array")


def texts_of(flat: list[Any], place: str) -> Array:
    """Strings as an array of objects."""
    if set(map(type, flat)) != {str}:
        position, value = next((position, value) for position, value in enumerate(flat) if type(value) is not str)
        raise InvalidInput(f"{place}[{position}]", f"{place}[{position}] is {kind(value)}; send a string", value)
    return objects(flat)


def numbers_of(flat: list[Any], datatype: str, place: str) -> Array:
    """Numbers of the datatype, or InvalidInput for one that is none; too large a number is infinite in a datatype that
    rounds.
    """
    try:
        values = packed(CODES[datatype], flat)
    except (TypeError, OverflowError):
        name_the_culprit(flat, datatype, place)
    if datatype == "BOOL":
        if max(values) > 1:
            name_the_culprit(flat, datatype, place)
        return np.frombuffer(values, np.bool_)
    if datatype == "FP16":
        with np.errstate(over="ignore"):
            return np.frombuffer(values).astype(np.float16)
    return np.frombuffer(values, DTYPES[datatype])


def name_the_culprit(flat: Sequence[Any], datatype: str, place: str) -> NoReturn:
    """Raise for the first value that the datatype does not hold."""
    for position, value in enumerate(flat):
        where = f"{place}[{position}]"
        if not isinstance(value, bool | int | float):
            raise InvalidInput(
                where, f"{where} is {kind(value)}; send a number, as the datatype {datatype} says", value
            )
        if not held(value, datatype):
            raise InvalidInput(where, f"{where} is no {datatype}; send {range_of(datatype)}", value)
    raise InvalidInput(place, f"{place} does not fit {datatype}; send {range_of(datatype)}")


def held(value: float, datatype: str) -> bool:
    """Whether a number is one of the datatype's."""
    if datatype == "BOOL":
        return type(value) is not float and value in (0, 1)
    if datatype.startswith("FP"):
        return abs(value) <= float(np.finfo(DTYPES[datatype]).max)
    limits = np.iinfo(DTYPES[datatype])
    return type(value) is not float and limits.min <= value <= limits.max


def range_of(datatype: str) -> str:
    """What the datatype holds, in words."""
    if datatype == "BOOL":
        return "true or false"
    if datatype.startswith("FP"):
        largest = float(np.finfo(DTYPES[datatype]).max)
        return f"a number from -{largest:.4g} to {largest:.4g}, or another datatype"
    limits = np.iinfo(DTYPES[datatype])
    return f"a whole number from {limits.min} to {limits.max}, or another datatype"


def json_answer(told: Told) -> bytes:
    """With every output in JSON."""
    return encode(header_of(told, [json_output(name, values) for name, values in told.outputs.items()]))


def binary_answer(told: Told, binary: Iterable[bool]) -> tuple[bytes, list[bytes]]:
    """With some outputs as bytes: the JSON, and what follows it."""
    outputs, parts = [], []
    for (name, values), as_bytes in zip(told.outputs.items(), binary, strict=True):
        if as_bytes:
            parts.append(bytes_of(values))
            outputs.append({**described(name, values), "parameters": {SIZE: len(parts[-1])}})
        else:
            outputs.append(json_output(name, values))
    return encode(header_of(told, outputs)), parts


def header_of(told: Told, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    answer: dict[str, Any] = {"model_name": told.served.name, "model_version": told.served.version}
    if told.id:
        answer["id"] = told.id
    answer["outputs"] = outputs
    return answer


def described(name: str, values: Array) -> dict[str, Any]:
    return {"name": name, "datatype": datatype_of(values), "shape": values.shape}


def json_output(name: str, values: Array) -> dict[str, Any]:
    """Numbers as Python has them: of an FP32 all digits, so that it is the same number to whoever reads it as FP64."""
    output = described(name, values)
    output["data"] = strings(values) if output["datatype"] == "BYTES" else numbers(values)
    return output


def numbers(values: Array) -> "Array | list[Any]":
    """What is encoded as the numbers that Python has, flat: many as they lie, without an object each."""
    if values.size <= SHORT:
        few: list[Any] = (values if values.ndim == 1 else values.ravel()).tolist()
        return few
    flat = values.ravel()
    return flat.astype(np.float64, copy=False) if flat.dtype.kind == "f" else flat
