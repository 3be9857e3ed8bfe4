"""The ids of predictions, which any pod can later judge by the outcome, without having seen them. Pure.

    REQUEST:VARIANT:SECONDS:VALUE      8f0c…0012:candidate:6924a1b3:n3ff0000000000000

REQUEST is the request's id, SECONDS its time since 1970, VALUE what was predicted: a number's eight bytes, or a digest
of anything else; all in hexadecimal. An id is not a secret, and whoever may send feedback may say anything.
"""

import hashlib
import math
import struct
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import orjson

from mlneuron_runtime import log

WINDOW_SECONDS = 7 * 86_400
"""An outcome that comes later is refused."""

TOLERANCE = 1e-9
"""Relative; numbers that are closer are the same."""

PARTS = 4

NUMBER = (int, float)
"""A boolean is one, too. No union of types, which each look at it would make anew."""

prediction: ContextVar[str | None] = ContextVar("prediction", default=None)
"""The present request's mark (its id without REQUEST), once its one row is predicted."""

answered_by: ContextVar[str | None] = ContextVar("answered_by", default=None)
"""The version of the variant that answered the present request, if it was not this process's own."""


def forget() -> None:
    """Begin a request without what its connection's last one left, if that left anything."""
    for variable in (prediction, answered_by):
        if variable.get() is not None:
            variable.set(None)


@dataclass(frozen=True, slots=True)
class Marks:
    """Marks what this process predicts, as `variant`. `clock` in Unix seconds."""

    variant: str
    clock: Callable[[], float]

    def note(self, value: object) -> str:
        """Mark the present request's only row."""
        mark = f"{self.variant}:{int(self.clock()):x}:{sign(value)}"
        prediction.set(mark)
        return mark

    def add(self, told: dict[str, Any], value: object, row: int | None = None) -> None:
        """Say in a row's answer who predicted it, and by which id it can be judged."""
        request = log.request_id.get() or ""
        told["model_variant"] = self.variant
        if row is None:
            told["request_id"] = f"{request}:{self.note(value)}"
        else:
            told["request_id"] = f"{request}.{row}:{self.variant}:{int(self.clock()):x}:{sign(value)}"


@dataclass(frozen=True, slots=True)
class Predicted:
    """What an id tells."""

    variant: str
    at: int
    value: str

    def judged(self, outcome: object) -> tuple[bool, float | None]:
        """Whether the outcome is what was predicted, and how far apart they are where both are numbers."""
        if isinstance(outcome, NUMBER) and self.value[0] == "n":
            value: float = struct.unpack(">d", bytes.fromhex(self.value[1:]))[0]
            return math.isclose(value, float(outcome), rel_tol=TOLERANCE), abs(value - float(outcome))
        return sign(outcome) == self.value, None


def sign(value: object) -> str:
    """A prediction in few characters: a number as it is, anything else as a digest."""
    if isinstance(value, NUMBER):
        return "n" + struct.pack(">d", value).hex()
    content = value.encode() if isinstance(value, str) else orjson.dumps(value, default=str)
    return "d" + hashlib.blake2b(content, digest_size=8).hexdigest()


def read(identifier: str) -> Predicted | None:
    """What an id tells; None where it is none of ours."""
    parts = identifier.rsplit(":", PARTS - 1)
    if len(parts) != PARTS:
        return None
    _request, variant, seconds, value = parts
    try:
        at, body = int(seconds, 16), bytes.fromhex(value[1:])
    except ValueError:
        return None
    if value[:1] not in ("n", "d") or len(body) != 8 or not 0 <= at < 2**40:
        return None
    return Predicted(variant, at, value)
