"""The libraries of the frameworks: imported when a model needs them, and compared with those that it was trained
with.
"""

import importlib
from typing import Any

import structlog

from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.models.base import Warned

log = structlog.get_logger()

VERSION_SKEW = "VersionSkew"


def required(module: str, framework: str, image: str) -> Any:
    """Import a framework's library, or say which image has it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.framework: {framework} needs the Python module '{error.name}', which {image} "
            "does not have; "
            "use the image that serves this framework",
        ) from error


def missing_module(error: ModuleNotFoundError, image: str) -> Fatal:
    """The artifact was saved with a library that this image lacks."""
    return Fatal(
        Reason.MODEL_LOAD_FAILED,
        f"spec.model.uri: the artifact needs the Python module '{error.name}', which {image} does not have; "
        f"build an image from it with that module added, or save the model without it",
    )


def skew(library: str, trained: str | None, serving: str, **told: object) -> tuple[Warned, ...]:
    """A warning, logged too, where the two versions differ; what follows a + (how it was built) does not count."""
    if trained is None or trained.partition("+")[0] == serving.partition("+")[0]:
        return ()
    log.warning(
        "the model was trained with another version of its library: answers may differ",
        library=library, trained_with=trained, serving_with=serving, **told,
    )  # fmt: skip
    return (
        Warned(
            VERSION_SKEW,
            f"trained with {library} {trained}, served with {serving}: answers may differ; train again with "
            f"{serving}, or serve with an image that has {library} {trained}",
        ),
    )
