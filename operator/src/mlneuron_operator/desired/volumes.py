"""The volumes of a neuron's pods, and where its containers see them."""

from typing import Any, Final

from ..api.neuron import MLNeuron
from .source import CACHE_FOLDER, MODEL_FOLDER, PREPARED_FOLDER, caches, claim_of, image_of, prepared_path

CONFIG_FOLDER: Final = "/etc/mlneuron"
TOKENS_FOLDER: Final = "/etc/mlneuron-tokens"
CREDENTIALS_FOLDER: Final = "/etc/mlneuron-credentials"

Object = dict[str, Any]


def volumes(neuron: MLNeuron, config: str) -> list[Object]:
    """All volumes of the pod; ``config`` names the ConfigMap."""
    model, auth = neuron.spec.model, neuron.spec.serving.auth
    found: dict[str, Object | None] = {
        "config": {"configMap": {"name": config}},
        "tmp": {"emptyDir": {}},
        "model": _model(neuron),
        "cache": _claim(model.cache.claim_name) if model.cache and caches(neuron) else None,
        "prepared": {"emptyDir": {}} if prepared_path(neuron) == PREPARED_FOLDER else None,
        "credentials": _secret(model.credentials.secret_name, optional=True) if model.credentials else None,
        "tokens": _secret(auth.secret_name) if auth else None,
    }
    return [{"name": name, **volume} for name, volume in found.items() if volume is not None]


def _model(neuron: MLNeuron) -> Object | None:
    """Where the model lies; None for a file of the runtime's own image."""
    model = neuron.spec.model
    claim, image = claim_of(model), image_of(model)
    if claim is not None:
        return _claim(claim, readOnly=True)
    if image is not None:
        return {"image": {"reference": image}}
    return {"emptyDir": {}} if model.source.fetched else None


def _claim(name: str, **more: Any) -> Object:
    return {"persistentVolumeClaim": {"claimName": name, **more}}


def _secret(name: str, **more: Any) -> Object:
    """The whole Secret, so that a change reaches the pod. One that may be missing is told sooner by ``envFrom``, which
    names it too, than by a volume that waits for it."""
    return {"secret": {"secretName": name, "defaultMode": 0o440, **more}}


def fetch_mounts(neuron: MLNeuron) -> list[Object]:
    """What the fetch step sees: it writes the model, the cache and what it prepares."""
    secret = _mount("credentials", CREDENTIALS_FOLDER, writable=False) if neuron.spec.model.credentials else None
    return [*_mounts(neuron, writes=True), *([secret] if secret else [])]


def runtime_mounts(neuron: MLNeuron) -> list[Object]:
    """What the runtime sees, all of it read-only but its /tmp."""
    secret = _mount("tokens", TOKENS_FOLDER, writable=False) if neuron.spec.serving.auth else None
    return [*_mounts(neuron, writes=False), *([secret] if secret else [])]


def _mounts(neuron: MLNeuron, *, writes: bool) -> list[Object]:
    source = neuron.spec.model.source
    found = [
        _mount("config", CONFIG_FOLDER, writable=False),
        _mount("tmp", "/tmp", writable=True),  # noqa: S108 - the pod's own emptyDir
        _mount("model", MODEL_FOLDER, writable=writes and source.fetched) if source.scheme != "file" else None,
        _mount("cache", CACHE_FOLDER, writable=writes) if caches(neuron) else None,
        _mount("prepared", PREPARED_FOLDER, writable=writes) if prepared_path(neuron) == PREPARED_FOLDER else None,
    ]
    return [mount for mount in found if mount is not None]


def _mount(name: str, path: str, *, writable: bool) -> Object:
    return {"name": name, "mountPath": path, **({} if writable else {"readOnly": True})}
