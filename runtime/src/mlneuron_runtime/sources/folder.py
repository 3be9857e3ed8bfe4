"""A folder that this machine has mounted, as an artifact: where a registry keeps its models on a shared volume."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlneuron_runtime.sources.note import Note
from mlneuron_runtime.sources.remote import BLOCK, Artifact, Stamp, Stream, not_found


def artifact(uri: str, folder: Path, identity: Callable[[], str | None], note: Note | None) -> Artifact:
    """Its files; Fatal where there are none."""
    paths = sorted(Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    files = [MountedFile(path.relative_to(folder).as_posix(), path) for path in paths if path.is_file()]
    if not files:
        raise not_found(uri, f"has no files at {folder} in the pod")
    return Artifact(uri, files, folder=True, identity=identity, note=note)


@dataclass(frozen=True, slots=True)
class MountedFile:
    """One file. Its time and size tell whether it changed."""

    name: str
    path: Path

    @property
    def listed(self) -> Stamp:
        told = self.path.stat()
        return Stamp(str(told.st_mtime_ns), told.st_size)

    @contextlib.contextmanager
    def open(self, at: int, stamp: Stamp) -> Iterator[Stream]:
        with self.path.open("rb") as file:
            start = file.seek(at if stamp == self.listed else 0)
            yield Stream(self.listed, start, iter(lambda: file.read(BLOCK), b""))
