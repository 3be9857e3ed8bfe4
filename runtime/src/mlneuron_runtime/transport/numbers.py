"""Large JSON bodies that are numbers for the most part: simdjson finds the numbers, and numpy gets them as they lie,
without a Python object for each.

Only what is plain is read so. Of whatever else (a row of another length, a null, a key that comes twice) nothing is
said here: the body is then read in the usual way, which knows what is wrong with it, or that nothing is.
"""

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from mlneuron_runtime.signature import Matrix, Signature
from mlneuron_runtime.tensors import DTYPES, Array, FloatArray, Inputs

try:
    import simdjson
except ImportError:
    simdjson = None  # type: ignore[assignment]  # it has no wheels for this Python yet

KEPT_BODY = 1024 * 1024
"""Up to this, the parser's memory (up to nine bytes for each of the body's) is kept for the next body."""

MOST_OTHERS = 1024
"""Values beside the numbers, up to which they are worth so much ado."""

DATATYPES = frozenset({"FP32", "FP64"})
"""Those of tensors that are read so."""

OPENING = ord("[")


class Unusual(ValueError):
    """The body is to be read in the usual way."""


def read(body: bytes, field: str) -> dict[str, Any]:
    """The object of a JSON body, in which everything named `field` is an array of float64: (numbers,), or
    (rows, columns) where it is a list of lists. Raises Unusual.
    """
    if simdjson is None or not body.startswith(b"{"):
        raise Unusual
    with a_parser(len(body)) as parser:
        return Reading(field).of(parser, body)


def check_floats(signature: Signature) -> None:
    """Raise Unusual unless all of the model's tensors are of DATATYPES, and so likely those that are sent."""
    if not all(spec.datatype in DATATYPES for spec in signature.inputs):
        raise Unusual


def matrix(signature: Signature) -> Matrix:
    """The signature, if its rows are lists of numbers; raises Unusual."""
    if not isinstance(signature, Matrix):
        raise Unusual
    return signature


def rows(signature: Matrix, given: FloatArray | None) -> Inputs:
    """What the model takes; raises Unusual."""
    inputs = None if given is None else signature.plain(given)
    if inputs is None:
        raise Unusual
    return inputs


def shaped(given: FloatArray, datatype: str, shape: Sequence[int]) -> Array:
    """Of a datatype and shape that a caller says, flat or nested as that; raises Unusual."""
    if datatype not in DATATYPES or given.size != math.prod(shape) or given.shape not in {(given.size,), tuple(shape)}:
        raise Unusual
    with np.errstate(over="ignore"):
        cast = given.reshape(shape).astype(DTYPES[datatype], copy=False)
    if datatype == "FP32" and not np.isfinite(cast).all():
        raise Unusual
    return cast


class Reading:
    """One body's. What simdjson gives are views into its parser, and gone with this."""

    def __init__(self, field: str) -> None:
        self.field = field
        self.others = 0
        self.lists = 0

    def of(self, parser: Any, body: bytes) -> dict[str, Any]:
        found: dict[str, Any] | None = None
        with suppress(ValueError, TypeError, LookupError, RuntimeError):  # here: an error on its way holds views
            found = self.value(parser.parse(body))
        opened = np.count_nonzero(np.frombuffer(body, np.uint8) == OPENING)
        if found is None or opened != self.lists:  # a number may be in a list of its own
            raise Unusual
        return found

    def value(self, given: Any) -> Any:
        self.others += 1
        if self.others > MOST_OTHERS:
            raise Unusual
        if isinstance(given, simdjson.Object):
            return self.fields(given)
        if isinstance(given, simdjson.Array):
            self.lists += 1
            return [self.value(inner) for inner in given]
        return given

    def fields(self, given: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in given.keys():  # noqa: SIM118  # no mapping of Python's: `items` would make lists
            if name in found:
                raise Unusual
            found[name] = self.numbers(given[name]) if name == self.field else self.value(given[name])
        return found

    def numbers(self, given: Any) -> FloatArray:
        """Raises for what is no list of numbers, and no list of such lists of one length; for an empty one, too."""
        if not isinstance(given, simdjson.Array):
            raise Unusual
        rows: Any = given
        shape = [len(rows)]
        if isinstance(rows[0], simdjson.Array):
            (width,) = set(map(len, rows))
            shape = [len(rows), width]
            self.lists += len(rows)
        self.lists += 1
        if 0 in shape:
            raise Unusual
        return np.frombuffer(given.as_buffer(of_type="d")).reshape(shape)


_kept = simdjson.Parser() if simdjson is not None else None
_keeping = threading.Lock()


@contextmanager
def a_parser(size: int) -> Iterator[Any]:
    """The kept one, unless it is busy in another thread or would have to keep too much."""
    if size > KEPT_BODY or not _keeping.acquire(blocking=False):
        yield simdjson.Parser()
        return
    try:
        yield _kept
    finally:
        _keeping.release()
