"""Tensors as raw bytes: the REST protocol's binary extension and gRPC's raw contents. Pure.

Numbers lie row-major and little-endian; a BYTES element is its length, four bytes, and its UTF-8 text.
"""

import math
import struct
from collections.abc import Sequence

import numpy as np

from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.tensors import DTYPES, Array, datatype_of

LENGTH = struct.Struct("<I")


def array_of(raw: "bytes | memoryview", datatype: str, shape: Sequence[int], place: str) -> Array:
    """The tensor that the bytes hold, or InvalidInput that names `place`.

    A copy: the model may write into its input, and wants it aligned; a body is neither writable nor aligned.
    """
    if datatype == "BYTES":
        return texts(raw, math.prod(shape), place).reshape(shape)
    dtype = DTYPES[datatype]
    size = math.prod(shape) * dtype.itemsize
    if len(raw) != size:
        raise InvalidInput(
            place, f"{place} has {len(raw)} bytes; {datatype} of the shape {list(shape)} takes {size}, send as many"
        )
    if datatype == "BOOL":
        truths: Array = np.frombuffer(raw, np.uint8) != 0
        return truths.reshape(shape)
    return np.frombuffer(raw, dtype).reshape(shape).copy()


def texts(raw: "bytes | memoryview", count: int, place: str) -> Array:
    """`count` BYTES elements, as an array of str."""
    found: list[str] = []
    start, size = 0, len(raw)
    while start < size:
        stop = start + LENGTH.size
        if stop <= size:
            stop += LENGTH.unpack_from(raw, start)[0]
        if stop > size:
            raise InvalidInput(place, f"{place} ends within element {len(found)}; send each with its length in front")
        found.append(text(bytes(raw[start + LENGTH.size : stop]), f"{place}[{len(found)}]"))
        start = stop
    if len(found) != count:
        raise InvalidInput(place, f"{place} has {len(found)} elements; its shape takes {count}, send as many")
    return objects(found)


def text(element: bytes, place: str) -> str:
    """One BYTES element: models take text."""
    try:
        return element.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(place, f"{place} is not UTF-8; send text, encoded as UTF-8") from error


def objects(elements: Sequence[str]) -> Array:
    """Of shape [elements]."""
    array = np.empty(len(elements), object)
    array[:] = elements
    return array


def bytes_of(array: Array) -> bytes:
    """What `array_of` reads."""
    if datatype_of(array) != "BYTES":
        return array.tobytes()
    parts = []
    for element in strings(array):
        encoded = element.encode(errors="replace")
        parts += [LENGTH.pack(len(encoded)), encoded]
    return b"".join(parts)


def strings(array: Array) -> list[str]:
    """The elements of a BYTES tensor, row-major: what is no text is told as Python tells it."""
    return [
        element
        if type(element) is str
        else element.decode(errors="replace")
        if isinstance(element, bytes)
        else str(element)
        for element in array.ravel().tolist()
    ]
