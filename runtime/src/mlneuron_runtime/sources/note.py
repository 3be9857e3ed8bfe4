"""What the source says of the model beside its bytes: a JSON file beside the artifact, for the server to show."""

import os
from pathlib import Path

import msgspec

SUFFIX = ".source.json"


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """The registry's own name and version of the model, and the run that made it."""

    name: str
    version: str
    run_id: str | None = None


def read(path: Path) -> Note | None:
    """The note of the artifact at `path`; None where there is none, or none that can be read."""
    try:
        return msgspec.json.decode(_beside(path).read_bytes(), type=Note)
    except (OSError, msgspec.DecodeError):
        return None


def write(path: Path, note: Note | None) -> None:
    """Leave the note beside the artifact; None removes what an earlier artifact left."""
    target = _beside(path)
    if note is None:
        target.unlink(missing_ok=True)
        return
    fresh = target.with_name(f".{target.name}.new")
    fresh.write_bytes(msgspec.json.encode(note))
    os.replace(fresh, target)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + SUFFIX)
