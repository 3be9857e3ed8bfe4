"""Artifacts that are there already: mounted from a claim or an image, or part of the runtime's image."""

from pathlib import Path

from mlneuron_runtime.failure import Fatal, Reason, public
from mlneuron_runtime.sources.digest import check_digest, digest_of


def verify(uri: str, path: Path, pinned: str | None) -> None:
    """Nothing to bring; the file or folder has to be there and match the pin."""
    try:
        digest = digest_of(path)
    except OSError as error:
        raise Fatal(
            Reason.MODEL_NOT_FOUND,
            f"spec.model.uri: {public(uri)} is not there ({path}: {error.strerror}); correct the path or "
            "put the "
            "artifact there",
        ) from error
    check_digest(uri, digest, pinned)
