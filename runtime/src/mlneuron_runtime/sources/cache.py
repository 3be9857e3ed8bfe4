"""A folder that several pods mount, so that one of them downloads for all.

    sha256-HEX          an artifact, under its content's digest
    origin-HEX.json     which digest a URI had with one ETag, generation or registry version
    .KEY.part           a download in progress, or one that died and is continued
    .KEY.lock.N         who is downloading

Entries appear by one rename and are checked before each use. Nothing is evicted; each use sets the entry's time of
modification, so that old ones can be told.
"""

import contextlib
import hashlib
import os
import shutil
from pathlib import Path

import msgspec
import structlog

from mlneuron_runtime.sources.digest import digest_of
from mlneuron_runtime.sources.place import remove
from mlneuron_runtime.sources.remote import Artifact

log = structlog.get_logger()


class Pointer(msgspec.Struct):
    """What an origin's content was."""

    sha256: str


class Cache:
    """Raises OSError where the volume does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def identified(self, artifact: Artifact) -> tuple[Artifact, str | None]:
        """With the key of its content, as far as that is told without downloading it; else None."""
        identity = artifact.identity()
        return artifact, None if identity is None else f"origin-{hashlib.sha256(identity.encode()).hexdigest()}"

    def find(self, key: str) -> Path | None:
        """The entry of a key, or of `sha256-HEX`. One that is not what its name says is removed."""
        entry = self.folder / (key if key.startswith("sha256-") else self._pointed(key))
        if not os.path.lexists(entry):
            return None
        if f"sha256-{digest_of(entry)}" != entry.name:
            log.warning("an entry of the model cache is damaged and is fetched anew", entry=str(entry))
            remove(entry)
            return None
        with contextlib.suppress(OSError):  # whose it is not may not set its time
            os.utime(entry)
        return entry

    def put(self, content: Path, sha256: str, key: str | None) -> Path:
        """Take a whole download in, findable by its digest and that key; it is gone from where it was."""
        entry = self.folder / f"sha256-{sha256}"
        try:
            os.rename(content, entry)
        except OSError:
            if not entry.is_dir():
                raise
            shutil.rmtree(content)  # another URI has brought the same meanwhile
        if key is not None:
            fresh = self.folder / f".{key}.new"
            fresh.write_bytes(msgspec.json.encode(Pointer(sha256)))
            os.replace(fresh, self.folder / f"{key}.json")
        return entry

    def work(self, key: str) -> Path:
        return self.folder / f".{key}.part"

    def lock(self, key: str) -> str:
        return f".{key}.lock"

    def _pointed(self, key: str) -> str:
        try:
            return f"sha256-{msgspec.json.decode((self.folder / f'{key}.json').read_bytes(), type=Pointer).sha256}"
        except (FileNotFoundError, msgspec.DecodeError):
            return f"{key} has no entry"
