"""Artifacts that are there already: mounted from a PersistentVolumeClaim, or part of the image."""

from pathlib import Path

from mlneuron_runtime.failure import Fatal, Reason, public
from mlneuron_runtime.sources.digest import check_digest, sha256_of


def verify(uri: str, path: Path, pinned: str | None) -> None:
    """Nothing to bring; the file has to be there and match the pin."""
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise Fatal(
            Reason.MODEL_NOT_FOUND,
            f"spec.model.uri: {public(uri)} is not there ({path}: {error.strerror}); correct the path or "
            "put the "
            "artifact there",
        ) from error
    check_digest(uri, digest, pinned)
