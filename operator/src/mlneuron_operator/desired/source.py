"""Where a neuron's model is in its pods, and what has to be done before it can be served."""

from typing import Final, Literal

from ..api.model import ModelSpec
from ..api.workload import Workload

MODEL_FOLDER: Final = "/models"
CACHE_FOLDER: Final = "/cache"
PREPARED_FOLDER: Final = "/prepared"

_ACCELERATED: Final = {"sklearn", "xgboost", "mlflow"}


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


def acceleration(workload: Workload) -> Literal["Auto", "Off"]:
    """As spec.model.acceleration says; with a GPU a model runs by its own library, which is what uses the GPU."""
    return "Off" if workload.gpu else workload.spec.model.acceleration


def prepares(workload: Workload) -> bool:
    """Whether a faster engine is looked for before the pod starts."""
    return acceleration(workload) == "Auto" and workload.spec.model.resolved_framework() in _ACCELERATED


def unpinned(model: ModelSpec) -> bool:
    """Whether a model that can run code when it is read is held by no digest.

    ONNX holds data only; any other file may hold a pickle, whatever its name says. An image's digest pins what is in
    it, and what lies in the runtime's own image is as trusted as the runtime.
    """
    source = model.source
    harmless = model.resolved_framework() == "onnx" or source.scheme == "file"
    return not harmless and model.sha256 is None and "@sha256:" not in source.holder


def needs_fetch(workload: Workload) -> bool:
    """Whether something is to be done before the runtime starts: bringing the model, or preparing it."""
    return workload.spec.model.source.fetched or prepares(workload)


def caches(workload: Workload) -> bool:
    """Whether pods share what is fetched or prepared."""
    return workload.spec.model.cache is not None and needs_fetch(workload)


def prepared_path(workload: Workload) -> str | None:
    """Where prepared engines are, each under a key of its model; None when none is looked for."""
    if not prepares(workload):
        return None
    return f"{CACHE_FOLDER}/prepared" if caches(workload) else PREPARED_FOLDER
