"""The sha256 of an artifact, and the pin that it must match.

A folder's is the sha256 of what this prints in it:
`find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum`
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from mlneuron_runtime.failure import Fatal, Reason, public


def digest_of(path: Path) -> str:
    """In hex, of a file or a folder; reads every file once, in blocks. Raises OSError."""
    if not path.is_dir():
        return sha256_of(path)
    files = [Path(parent, name) for parent, _, names in os.walk(path, onerror=_raise) for name in names]
    return digest_of_files(
        {file.relative_to(path).as_posix(): sha256_of(file) for file in files if not file.is_symlink()}
    )


def digest_of_files(digests: Mapping[str, str]) -> str:
    """A folder's, from its files' by their paths in it."""
    lines = sorted((os.fsencode(f"./{name}"), digest) for name, digest in digests.items())
    return hashlib.sha256(b"".join(_line(name, digest) for name, digest in lines)).hexdigest()


def sha256_of(path: Path) -> str:
    """In hex; reads the file once, in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_digest(uri: str, actual: str, pinned: str | None) -> None:
    """Fatal unless there is no pin or it matches."""
    if pinned is not None and actual != pinned.lower():
        raise Fatal(
            Reason.MODEL_DIGEST_MISMATCH,
            f"spec.model.sha256: the model at {public(uri)} has sha256 {actual}, not the pinned "
            f"{pinned.lower()}; "
            "correct the pin or the artifact",
        )


def _line(name: bytes, digest: str) -> bytes:
    """As sha256sum prints it: a name with a backslash or a line break is escaped and marked."""
    escaped = name.replace(b"\\", rb"\\").replace(b"\n", rb"\n").replace(b"\r", rb"\r")
    return (b"\\" if escaped != name else b"") + digest.encode() + b"  " + escaped + b"\n"


def _raise(error: OSError) -> None:
    raise error
