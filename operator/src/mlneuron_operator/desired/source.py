"""Where a neuron's model is in its pods, and what has to be done before it can be served."""

from typing import Any, Final

from ..api.model import ModelSpec
from .meta import digest

MODEL_FOLDER: Final = "/models"
CACHE_FOLDER: Final = "/cache"
PREPARED_FOLDER: Final = "/prepared"

_ACCELERATED: Final = {"sklearn", "xgboost"}


def claim_of(model: ModelSpec) -> str | None:
    """Name of the PersistentVolumeClaim that holds the model; None for a model that is elsewhere."""
    source = model.source
    return source.holder if source.scheme == "pvc" else None


def image_of(model: ModelSpec) -> str | None:
    """Reference of the image that holds the model; None for a model that is elsewhere."""
    source = model.source
    return source.holder if source.scheme == "oci" else None


def model_path(model: ModelSpec) -> str:
    """Where the model's file or folder is inside the pod."""
    source = model.source
    if source.scheme == "file":
        return f"/{source.path}"
    if source.fetched:
        return f"{MODEL_FOLDER}/{source.name}"
    return f"{MODEL_FOLDER}/{source.path.lstrip('/')}"


def prepares(model: ModelSpec) -> bool:
    """Whether a faster engine is looked for before the pod starts."""
    return model.acceleration == "Auto" and model.resolved_framework() in _ACCELERATED


def unpinned(model: ModelSpec) -> bool:
    """Whether a model that can run code when it is read is held by no digest.

    ONNX holds data only; any other file may hold a pickle, whatever its name says. An image's digest pins what is in
    it, and what lies in the runtime's own image is as trusted as the runtime.
    """
    source = model.source
    harmless = model.resolved_framework() == "onnx" or source.scheme == "file"
    return not harmless and model.sha256 is None and "@sha256:" not in source.holder


def needs_fetch(model: ModelSpec) -> bool:
    """Whether something is to be done before the runtime starts: bringing the model, or preparing it."""
    return model.source.fetched or prepares(model)


def caches(model: ModelSpec) -> bool:
    """Whether pods share what is fetched or prepared."""
    return model.cache is not None and needs_fetch(model)


def prepared_path(model: ModelSpec) -> str | None:
    """Where the prepared engine is; None when none is looked for.

    In a shared cache each model has a folder of its own, so that no neuron's preparation stands in another's way.
    """
    if not prepares(model):
        return None
    if not caches(model):
        return PREPARED_FOLDER
    return f"{CACHE_FOLDER}/prepared/{digest(_identity(model))}"


def _identity(model: ModelSpec) -> dict[str, Any]:
    inputs = [item.model_dump() for item in model.inputs or ()]
    return {"uri": model.uri, "sha256": model.sha256, "framework": model.resolved_framework(), "inputs": inputs}
