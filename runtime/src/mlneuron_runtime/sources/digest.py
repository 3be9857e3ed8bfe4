"""The sha256 of an artifact, and the pin that it must match."""

import hashlib
from pathlib import Path

from mlneuron_runtime.failure import Fatal, Reason, public


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
