"""Artifacts that are there already: mounted from a claim or an image, or part of the runtime's image."""

import os
from pathlib import Path

from mlneuron_runtime.failure import Fatal, Reason, public
from mlneuron_runtime.sources.digest import check_digest, digest_of


def verify(uri: str, path: Path, pinned: str | None) -> str:
    """The sha256 of the file or folder, which has to be there, be readable and match the pin; raises Fatal."""
    try:
        digest = digest_of(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Fatal(
            Reason.MODEL_NOT_FOUND,
            f"spec.model.uri: {public(uri)} is not there (no file {path} in the pod); correct the path or put the "
            "artifact there",
        ) from error
    except OSError as error:
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: {error.filename or path} cannot be read ({error.strerror}); the runtime is uid "
            f"{os.getuid()}: let every user read the artifact (chmod -R a+rX)",
        ) from error
    check_digest(uri, digest, pinned)
    return digest
