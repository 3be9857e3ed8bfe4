"""The folder of an unfinished download: what is whole, and the part that a later attempt or process continues.

A part is continued from the last byte that was synced, so that neither a killed process nor a node that lost its
power leaves a hole in it; and only where URI, tag and size are those that it was begun with. Two writers of one part
write the same bytes to the same places, so that a lock lost for a while does no harm.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Collection
from pathlib import Path

import msgspec

from mlneuron_runtime.sources.remote import Stamp

CHECKPOINT = 32 * 1024 * 1024
"""Bytes between two syncs: what a killed fetch has to fetch again at most."""


class Origin(msgspec.Struct):
    """Where a part comes from. The URI only as a hash: it may carry a signature."""

    uri: str
    tag: str | None
    size: int | None
    synced: int = 0


class Whole(msgspec.Struct):
    """A file of a folder that is there."""

    name: str
    tag: str | None
    size: int | None
    sha256: str


class Work:
    """`content` is the file or folder that is made; a folder has its files as they get whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.content = folder / "content"
        self.part = folder / "part"
        self._origin = folder / "part.json"
        self._wholes = folder / "whole.jsonl"

    def kept(self, key: str) -> tuple[int, Stamp]:
        """How many bytes of the object `key` are there to be continued, and of which content."""
        origin = self._read_origin()
        if origin is None or origin.tag is None or origin.uri != _hashed(key) or not self.part.exists():
            return 0, Stamp()
        kept = min(origin.synced, self.part.stat().st_size)
        if kept == origin.size:  # the last byte is asked for once more, and with it whether the object is the same
            kept -= 1
        return max(kept, 0), Stamp(origin.tag, origin.size)

    def safe(self) -> int:
        """Bytes that the next attempt need not fetch again."""
        origin = self._read_origin()
        part = origin.synced if origin and origin.tag else 0
        return part + sum(whole.size or 0 for whole in self.wholes().values() if whole.tag)

    def wholes(self) -> dict[str, Whole]:
        """The files that are whole, by name. A last line that is not is that of a killed process."""
        found: dict[str, Whole] = {}
        with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
            for line in self._wholes.read_bytes().splitlines():
                whole = msgspec.json.decode(line, type=Whole)
                found[whole.name] = whole
        return {name: whole for name, whole in found.items() if (self.content / name).is_file()}

    def begin(self, key: str, start: int, stamp: Stamp) -> "Writer":
        """Go on with the part at `start`, or make it anew at 0."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if start == 0:
            self.drop_part()
        origin = Origin(_hashed(key), stamp.tag, stamp.size, start)
        self._write_origin(origin)
        return Writer(self, origin)

    def finish(self, name: str, stamp: Stamp, sha256: str) -> None:
        """The part becomes the file `name`, or the content itself."""
        target = self.content / name if name else self.content
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self.part, target)
        self._origin.unlink(missing_ok=True)
        if name:
            with self._wholes.open("ab") as file:
                file.write(msgspec.json.encode(Whole(name, stamp.tag, stamp.size, sha256)) + b"\n")

    def keep_only(self, names: Collection[str]) -> None:
        """Remove the files that an earlier attempt brought and the source no longer has."""
        for parent, _, files in os.walk(self.content):
            for file in files:
                path = Path(parent, file)
                if path.relative_to(self.content).as_posix() not in names:
                    path.unlink()

    def drop_part(self) -> None:
        self.part.unlink(missing_ok=True)
        self._origin.unlink(missing_ok=True)

    def tidy(self) -> None:
        """After a failure: leave only what another attempt can use."""
        if self.safe() == 0:
            self.discard()

    def discard(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read_origin(self) -> Origin | None:
        try:
            return msgspec.json.decode(self._origin.read_bytes(), type=Origin)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _write_origin(self, origin: Origin) -> None:
        fresh = self._origin.with_name("part.json.new")
        fresh.write_bytes(msgspec.json.encode(origin))
        os.replace(fresh, self._origin)


class Writer:
    """The open part of one object; `length` and `sha256` are those of all its bytes, the continued ones too."""

    def __init__(self, work: Work, origin: Origin) -> None:
        self._work, self._origin = work, origin
        self._sha256 = hashlib.sha256()
        self.length = 0
        self._file = os.fdopen(os.open(work.part, os.O_RDWR | os.O_CREAT, 0o644), "r+b")

    def __enter__(self) -> "Writer":
        self._file.truncate(self._origin.synced)
        while block := self._file.read(1024 * 1024):
            self._sha256.update(block)
            self.length += len(block)
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever ends the writing: what is there can be continued."""
        for step in (self._checkpoint, self._file.close):
            with contextlib.suppress(OSError):
                step()

    def write(self, block: bytes) -> None:
        self._file.write(block)
        self._sha256.update(block)
        self.length += len(block)
        if self.length - self._origin.synced >= CHECKPOINT:
            self._checkpoint()

    def close(self) -> str:
        """Everything is written and synced; its sha256."""
        self._checkpoint()
        os.fchmod(self._file.fileno(), 0o644)
        return self._sha256.hexdigest()

    def _checkpoint(self) -> None:
        if self.length == self._origin.synced:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        self._origin.synced = self.length
        self._work._write_origin(self._origin)


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
