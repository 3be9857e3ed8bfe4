"""gRPC's messages of the Open Inference Protocol, to and from what REST decodes and encodes too. Pure.

A tensor's data is in the typed contents of its input, or all inputs' bytes are in `raw_input_contents`. The answer has
the form of the request; FP16, for which there are no typed contents, is always bytes.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.tensors import DTYPES, Array, Tensor, datatype_of
from mlneuron_runtime.transport import binary
from mlneuron_runtime.transport.binary import array_of, bytes_of, objects, strings
from mlneuron_runtime.transport.grpc.fields import field, head, packed, text
from mlneuron_runtime.transport.grpc.inference_pb2 import InferTensorContents, ModelInferRequest
from mlneuron_runtime.transport.oip import (
    Asked,
    Told,
    Wanted,
    check_datatype,
    check_parameters,
    check_shape,
    timeout_of,
)
from mlneuron_runtime.transport.oip_json import numbers_of

FIELDS: Mapping[str, str] = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip
"""Where a datatype's values are."""

FLOATS: Mapping[str, int] = {"FP32": 6, "FP64": 7}
WHOLES: Mapping[str, int] = {"INT32": 2, "INT64": 3, "UINT8": 4, "UINT32": 4, "UINT64": 5}
PACKED = {**FLOATS, **WHOLES}
"""The numbers of fields: of those that hold an array's bytes as they are, of those for labels, and of both."""

LARGEST_BYTE = 0x7F
"""A whole number up to this is one byte, itself."""

WITHIN = {name: dtype for name, dtype in DTYPES.items() if name not in ("BOOL", "BYTES")}
"""Datatypes whose bytes are an array's as they are."""


def asked(message: ModelInferRequest) -> Asked:
    """What a request asks, or InvalidInput."""
    timeout = None
    if message.parameters:
        timeout = timeout_of({name: value_of(parameter) for name, parameter in message.parameters.items()})
    return Asked(tensors(message), wanted(message) if message.outputs else (), message.id, timeout)


def value_of(parameter: Any) -> bool | int | float | str | None:
    """Whichever a parameter holds."""
    choice = parameter.WhichOneof("parameter_choice")
    return None if choice is None else getattr(parameter, choice)


def tensors(message: ModelInferRequest) -> list[Tensor]:
    """The inputs."""
    inputs, raw = message.inputs, message.raw_input_contents
    if len(inputs) == len(raw) == 1:
        tensor = matrix(inputs[0], raw[0])
        if tensor is not None:
            return [tensor]
    if not inputs:
        raise InvalidInput("inputs", "inputs is empty; send a tensor, such as one of the shape [rows, features]")
    if raw and len(raw) != len(inputs):
        told = f"raw_input_contents has {len(raw)} entries for {len(inputs)} inputs; send one for each, or none"
        raise InvalidInput("raw_input_contents", told)
    found = []
    for position, given in enumerate(inputs):
        place = f"inputs[{position}]"
        datatype = check_datatype(given.datatype, place)
        shape = check_shape(list(given.shape), place)
        if given.parameters:
            check_parameters(given.parameters, place)
        if raw and given.HasField("contents"):
            raise InvalidInput(f"{place}.contents", f"{place} has contents and raw_input_contents; send one of them")
        if raw:
            values = array_of(raw[position], datatype, shape, f"raw_input_contents[{position}]")
        else:
            values = typed(given.contents, datatype, shape, place)
        found.append(Tensor(given.name, values))
    return found


def matrix(given: ModelInferRequest.InferInputTensor, raw: bytes) -> Tensor | None:
    """The bytes of one good matrix of numbers, which is what most requests hold, in fewer steps than any tensor takes;
    None for all else.
    """
    dtype = WITHIN.get(given.datatype)
    if dtype is None or len(given.shape) != 2 or given.parameters or given.HasField("contents"):
        return None
    rows, columns = given.shape
    if rows < 1 or columns < 1 or rows * columns * dtype.itemsize != len(raw):
        return None
    return Tensor(given.name, np.ndarray((rows, columns), dtype, raw).copy())


def typed(contents: InferTensorContents, datatype: str, shape: list[int], place: str) -> Array:
    """The tensor in an input's contents."""
    field = FIELDS.get(datatype)
    if field is None:
        raise InvalidInput(
            f"{place}.contents", f"{place} is {datatype}, which has no contents; send raw_input_contents"
        )
    values = getattr(contents, field)[:]
    place = f"{place}.contents.{field}"
    if len(values) != math.prod(shape):
        told = (
            f"{place} has {len(values)} values; {datatype} of the shape {shape} takes {math.prod(shape)}, send as many"
        )
        raise InvalidInput(place, told)
    if datatype == "BYTES":
        array = objects([binary.text(value, f"{place}[{position}]") for position, value in enumerate(values)])
    else:
        array = numbers_of(values, datatype, place)
    return array.reshape(shape)


def wanted(message: ModelInferRequest) -> list[Wanted]:
    """The outputs that are asked for."""
    for position, output in enumerate(message.outputs):
        check_parameters(output.parameters, f"outputs[{position}]")
    return [Wanted(output.name) for output in message.outputs]


def answer(told: Told, raw: bool) -> bytes:
    """The ModelInferResponse, as bytes where `raw` says so or where it must."""
    outputs = [(name, values, datatype_of(values)) for name, values in told.outputs.items()]
    raw = raw or not all(datatype in FIELDS for _, _, datatype in outputs)
    parts = [answered_by(told.served.name, told.served.version), text(3, told.id)]
    if raw:
        parts += [field(5, described_as(name, datatype, values.shape)) for name, values, datatype in outputs]
        parts += [field(6, bytes_of(values)) for _, values, _ in outputs]
    else:
        for name, values, datatype in outputs:
            parts += typed_output(name, values, datatype)
    return b"".join(parts)


@lru_cache
def answered_by(model: str, version: str) -> bytes:
    """The fields that say who answers."""
    return text(1, model) + text(2, version)


@lru_cache
def described_as(name: str, datatype: str, shape: tuple[int, ...]) -> bytes:
    """An output's fields before its contents."""
    return text(1, name) + text(2, datatype) + packed(3, shape)


@lru_cache
def begun(name: str, datatype: str, shape: tuple[int, ...], size: int) -> bytes:
    """A typed output up to its numbers, which are packed into so many bytes."""
    described = described_as(name, datatype, shape)
    numbers = head(PACKED[datatype], size)
    contents = head(5, len(numbers) + size)
    return head(5, len(described) + len(contents) + len(numbers) + size) + described + contents + numbers


def typed_output(name: str, values: Array, datatype: str) -> tuple[bytes, bytes]:
    """An output with typed contents, in two parts. Floats are their bytes, and most labels a byte each; protocol
    buffers know how to pack all else.
    """
    if datatype in FLOATS and values.size:
        return begun(name, datatype, values.shape, values.nbytes), values.tobytes()
    flat = listed(values, datatype)
    if datatype in WHOLES and flat and min(flat) >= 0 and max(flat) <= LARGEST_BYTE:
        return begun(name, datatype, values.shape, len(flat)), bytes(flat)
    described = described_as(name, datatype, values.shape)
    contents = field(5, InferTensorContents(**{FIELDS[datatype]: flat}).SerializeToString()) if flat else b""
    return field(5, described + contents), b""


def listed(values: Array, datatype: str) -> list[Any]:
    """A tensor's values as its contents take them."""
    if datatype == "BYTES":
        return [element.encode(errors="replace") for element in strings(values)]
    flat: list[Any] = values.ravel().tolist()
    return flat
