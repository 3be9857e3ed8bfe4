"""Whom a request is about, and which variant it asks for by name. Pure.

What cannot be read here (a body that is no JSON, a subject that is an array) names nobody: the primary's own endpoint
then says what is wrong with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.traffic.table import Where

PIN_HEADER = "X-Neuron-Variant"
PIN = PIN_HEADER.lower().encode()

VERSION = "model_version"

LATEST = "latest"
"""The guide's word for no version in particular."""

QUOTED_VERSION = b'"model_version"'

Headers = Mapping[bytes, bytes]
"""By lower-case names; of several with one name, the last."""

ROWS = {"guide": ("batch_features",), "v1": ("instances", "inputs")}
"""By protocol, the fields that hold rows. The Open Inference Protocol has one subject a request."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A variant that the caller names, or its version, and the part of the request that does."""

    value: str
    field: str


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch in which each row has a subject of its own: the body, and its field of rows."""

    body: Mapping[str, Any]
    field: str
    subjects: Sequence[bytes | None]


@dataclass(slots=True)  # not frozen, which makes one take twice as long
class Asked:
    """What a request says of whom it is about. `subject` None: nothing."""

    subject: bytes | None = None
    pin: Pin | None = None
    rows: Rows | None = None


def of_request(where: Where, protocol: str, headers: Headers, head: bytes, version: str | None) -> Asked:
    """`head` is the body's JSON, `version` the path's. Raises InvalidInput where rows and subjects do not match."""
    subject, pinned = headers.get(where.header) or None, headers.get(PIN)
    pin = pin_of(pinned.decode("latin-1"), PIN_HEADER) if pinned else pin_of(version, VERSION)
    if not worth_parsing(where, protocol, head, subject is None, pin is None):
        return Asked(subject, pin)
    parsed = object_of(head)
    if parsed is None:
        return Asked(subject, pin)
    if protocol == "v2":
        parameters = parsed.get("parameters")
        return Asked(subject or text(parameters.get(where.field)) if isinstance(parameters, dict) else subject, pin)
    if pin is None and protocol == "guide":
        pin = pin_of(parsed.get(VERSION), VERSION)
    rows = rows_of(where, protocol, parsed) if pin is None else None
    return Asked(subject or text(parsed.get(where.field)), pin, rows)


def worth_parsing(where: Where, protocol: str, head: bytes, no_subject: bool, no_pin: bool) -> bool:
    """Whether the body may say more than the headers do: its endpoint parses it anyway, and twice costs."""
    if no_subject and where.quoted in head:
        return True
    if protocol == "v2":
        return False
    return where.quoted_plural in head or (no_pin and protocol == "guide" and QUOTED_VERSION in head)


def object_of(head: bytes) -> dict[str, Any] | None:
    try:
        parsed = orjson.loads(head)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def text(subject: object) -> bytes | None:
    """42 and "42" are the same subject, as a header cannot tell them apart."""
    if isinstance(subject, str):
        return subject.encode() or None
    return str(subject).encode() if isinstance(subject, int) and not isinstance(subject, bool) else None


def pin_of(named: object, field: str) -> Pin | None:
    """What a caller names, if that is somebody in particular."""
    return Pin(named, field) if isinstance(named, str) and named not in ("", LATEST) else None


def rows_of(where: Where, protocol: str, body: Mapping[str, Any]) -> Rows | None:
    """The rows with their subjects, where the body has one for each (`user_ids` beside `user_id`)."""
    plural = where.plural
    subjects = body.get(plural)
    field = next((field for field in ROWS[protocol] if isinstance(body.get(field), list)), None)
    if subjects is None or (field is None and "features" in body):
        return None
    if not isinstance(subjects, list):
        raise InvalidInput(plural, f"{plural} must be an array with one subject a row; send that, or {where.field}")
    if field is None:
        raise InvalidInput(plural, f"{plural} needs rows; send {' or '.join(ROWS[protocol])} as an array")
    if len(subjects) != len(body[field]):
        told = f"{plural} has {len(subjects)} entries for {len(body[field])} rows; send one a row"
        raise InvalidInput(plural, told)
    return Rows(body, field, [text(subject) for subject in subjects])
