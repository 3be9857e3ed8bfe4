"""The volumes of a neuron's pods, and where its containers see them."""

from typing import Any, Final

from ..api.names import PRIMARY, traffic_name
from ..api.workload import Workload
from .source import CACHE_FOLDER, MODEL_FOLDER, PREPARED_FOLDER, caches, claim_of, image_of, prepared_path

CONFIG_FOLDER: Final = "/etc/mlneuron"
TOKENS_FOLDER: Final = "/etc/mlneuron-tokens"
TRAFFIC_FOLDER: Final = "/etc/mlneuron-traffic"
CREDENTIALS_FOLDER: Final = "/etc/mlneuron-credentials"

Object = dict[str, Any]


def volumes(workload: Workload, config: str) -> list[Object]:
    """All volumes of the pod; ``config`` names the ConfigMap."""
    model, auth = workload.spec.model, workload.spec.serving.auth
    found: dict[str, Object | None] = {
        "config": {"configMap": {"name": config}},
        "tmp": {"emptyDir": {}},
        "model": _model(workload),
        "cache": _claim(model.cache.claim_name) if model.cache and caches(workload) else None,
        "prepared": {"emptyDir": {}} if prepared_path(workload) == PREPARED_FOLDER else None,
        "credentials": _secret(model.credentials.secret_name, optional=True) if model.credentials else None,
        "tokens": _secret(auth.secret_name) if auth else None,
        "traffic": _traffic(workload),
    }
    return [{"name": name, **volume} for name, volume in found.items() if volume is not None]


def _model(workload: Workload) -> Object | None:
    """Where the model lies; None for a file of the runtime's own image."""
    model = workload.spec.model
    claim, image = claim_of(model), image_of(model)
    if claim is not None:
        return _claim(claim, readOnly=True)
    if image is not None:
        return {"image": {"reference": image}}
    return {"emptyDir": {}} if model.source.fetched else None


def _claim(name: str, **more: Any) -> Object:
    return {"persistentVolumeClaim": {"claimName": name, **more}}


def _traffic(workload: Workload) -> Object | None:
    """The table of the front door, which may be missing: then everything is the primary's. As a folder, so that a
    change reaches the pod."""
    name = traffic_name(workload.neuron_name)
    return {"configMap": {"name": name, "optional": True}} if workload.variant == PRIMARY else None


def _secret(name: str, **more: Any) -> Object:
    """The whole Secret, so that a change reaches the pod. One that may be missing is told sooner by ``envFrom``, which
    names it too, than by a volume that waits for it."""
    return {"secret": {"secretName": name, "defaultMode": 0o440, **more}}


def fetch_mounts(workload: Workload) -> list[Object]:
    """What the fetch step sees: it writes the model, the cache and what it prepares."""
    secret = _mount("credentials", CREDENTIALS_FOLDER, writable=False) if workload.spec.model.credentials else None
    return [*_mounts(workload, writes=True), *([secret] if secret else [])]


def runtime_mounts(workload: Workload) -> list[Object]:
    """What the runtime sees, all of it read-only but its /tmp."""
    secret = _mount("tokens", TOKENS_FOLDER, writable=False) if workload.spec.serving.auth else None
    table = _mount("traffic", TRAFFIC_FOLDER, writable=False) if workload.variant == PRIMARY else None
    return [*_mounts(workload, writes=False), *(mount for mount in (secret, table) if mount)]


def _mounts(workload: Workload, *, writes: bool) -> list[Object]:
    source = workload.spec.model.source
    found = [
        _mount("config", CONFIG_FOLDER, writable=False),
        _mount("tmp", "/tmp", writable=True),  # noqa: S108 - the pod's own emptyDir
        _mount("model", MODEL_FOLDER, writable=writes and source.fetched) if source.scheme != "file" else None,
        _mount("cache", CACHE_FOLDER, writable=writes) if caches(workload) else None,
        _mount("prepared", PREPARED_FOLDER, writable=writes) if prepared_path(workload) == PREPARED_FOLDER else None,
    ]
    return [mount for mount in found if mount is not None]


def _mount(name: str, path: str, *, writable: bool) -> Object:
    return {"name": name, "mountPath": path, **({} if writable else {"readOnly": True})}
