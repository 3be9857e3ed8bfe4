"""Where a neuron's model is in its pods, and what has to be done before it can be served."""

from typing import Final, Literal

from ..api.model import ModelSpec
from ..api.neuron import MLNeuron

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


def acceleration(neuron: MLNeuron) -> Literal["Auto", "Off"]:
    """As spec.model.acceleration says; with a GPU a model runs by its own library, which is what uses the GPU."""
    return "Off" if neuron.gpu else neuron.spec.model.acceleration


def prepares(neuron: MLNeuron) -> bool:
    """Whether a faster engine is looked for before the pod starts."""
    return acceleration(neuron) == "Auto" and neuron.spec.model.resolved_framework() in _ACCELERATED


def unpinned(model: ModelSpec) -> bool:
    """Whether a model that can run code when it is read is held by no digest.

    ONNX holds data only; any other file may hold a pickle, whatever its name says. An image's digest pins what is in
    it, and what lies in the runtime's own image is as trusted as the runtime.
    """
    source = model.source
    harmless = model.resolved_framework() == "onnx" or source.scheme == "file"
    return not harmless and model.sha256 is None and "@sha256:" not in source.holder


def needs_fetch(neuron: MLNeuron) -> bool:
    """Whether something is to be done before the runtime starts: bringing the model, or preparing it."""
    return neuron.spec.model.source.fetched or prepares(neuron)


def caches(neuron: MLNeuron) -> bool:
    """Whether pods share what is fetched or prepared."""
    return neuron.spec.model.cache is not None and needs_fetch(neuron)


def prepared_path(neuron: MLNeuron) -> str | None:
    """Where prepared engines are, each under a key of its model; None when none is looked for."""
    if not prepares(neuron):
        return None
    return f"{CACHE_FOLDER}/prepared" if caches(neuron) else PREPARED_FOLDER
