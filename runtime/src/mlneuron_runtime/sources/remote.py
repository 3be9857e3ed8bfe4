"""What every kind of source offers: an artifact of objects that can be read from an offset, and how reading fails.

A source says by `Fatal` what the manifest has to mend, by `Passing` what another attempt may not meet.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from mlneuron_runtime.failure import Fatal, Reason, first_line, public
from mlneuron_runtime.sources.note import Note

BLOCK = 1024 * 1024
"""Bytes read, hashed and written at once where a source streams."""


class Passing(Exception):
    """A failure that another attempt may not meet: the network, a 5xx, a short answer."""


class Changed(Passing):
    """The object is not the one that its first bytes came from."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which content an object has. `tag` is what changes with it: a strong ETag, a generation; an object without one
    cannot be continued. `size` is in bytes.
    """

    tag: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """An object's bytes from offset `start` on; `blocks` raises Passing when they break off."""

    stamp: Stamp
    start: int
    blocks: Iterator[bytes]


class Remote(Protocol):
    """One object. `name` is its path in the artifact's folder, "" for an artifact of one file; `listed` is what is
    known of it before it is opened.
    """

    @property
    def name(self) -> str: ...
    @property
    def listed(self) -> Stamp: ...

    def open(self, at: int, stamp: Stamp) -> AbstractContextManager[Stream]:
        """The bytes from `at`, if the object still has that stamp; from 0 where the source cannot continue."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a URI names now. `identity` tells which content that is, for pods that share one cache; None: nothing tells
    it. It may ask the server.
    """

    uri: str
    objects: Sequence[Remote]
    folder: bool
    identity: Callable[[], str | None]
    note: Note | None = None


def inside(uri: str, name: str) -> str:
    """The name of an object in its folder, if it leads nowhere else."""
    if not name or name.startswith("/") or any(step in {"", ".", ".."} for step in name.split("/")):
        raise Fatal(
            Reason.MODEL_FETCH_FAILED,
            f"spec.model.uri: {public(uri)} holds an object whose name {name!r} is no path in a folder; rename or "
            "remove it",
        )
    return name


def not_found(uri: str, cause: str) -> Fatal:
    return Fatal(
        Reason.MODEL_NOT_FOUND, f"spec.model.uri: {public(uri)} {cause}; correct the URI or upload the artifact"
    )


def forbidden(uri: str, cause: str, mend: str) -> Fatal:
    return Fatal(Reason.MODEL_FETCH_FAILED, f"spec.model.uri: {public(uri)} {cause}; {mend}")


def answered(uri: str, status: int, credentials: str) -> Exception:
    """A refusal by HTTP status, as what it means for the manifest; `credentials` says how to give them."""
    if status in {404, 410}:
        return not_found(uri, f"answers {status}")
    if status in {401, 403}:
        return forbidden(uri, f"answers {status}", credentials)
    if status >= 500 or status in {408, 425, 429}:
        return Passing(f"the server answers {status}")
    if status == 416:
        return Changed("the server does not have the range that was to be continued")
    return Fatal(Reason.MODEL_FETCH_FAILED, f"spec.model.uri: {public(uri)} answers {status}; correct the URI")


def cause(error: BaseException) -> str:
    """One line on a library's error, without the credentials that its URLs may carry."""
    bare = re.sub(r"(?<=//)[^/\s@]+@", "", first_line(error))
    return re.sub(r"\?\S+", "?…", bare)
