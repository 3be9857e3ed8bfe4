"""What of an API object is worth remembering; pure.

Thousands of objects stay in memory for as long as the operator runs. Managed fields and foreign annotations are half of
each and never read, so they go before the object is kept; a pod is kept as the few facts that status needs.
"""

from collections.abc import Callable
from typing import Any, Final

from ..api.names import ANNOTATION_REVISION, ANNOTATION_TRAFFIC, MANAGER
from ..kinds import CHILD_KINDS, DEPLOYMENT, HTTP_ROUTE, NEURON, POD, VARIANT, Kind

Object = dict[str, Any]

_META_KEYS: Final = (
    "name",
    "namespace",
    "uid",
    "generation",
    "labels",
    "creationTimestamp",
    "deletionTimestamp",
)
OWNS_REPLICAS: Final = "ownsReplicas"
"""Set on a kept Deployment: whether the operator is the one that set spec.replicas."""


def trim(kind: Kind, obj: Object) -> Object:
    """The object as it is kept in the store."""
    return _TRIMMERS[kind](obj)


def _meta(obj: Object) -> Object:
    meta = obj["metadata"]
    kept = {key: meta[key] for key in _META_KEYS if key in meta}
    if "ownerReferences" in meta:
        kept["ownerReferences"] = meta["ownerReferences"]
    return kept


def _neuron(obj: Object) -> Object:
    return {"metadata": _meta(obj), "spec": obj.get("spec", {}), "status": obj.get("status", {})}


def _child(obj: Object) -> Object:
    """Everything that was or could have been applied; statuses are the business of others."""
    kept = {key: value for key, value in obj.items() if key not in {"metadata", "status", "apiVersion", "kind"}}
    return {**kept, "metadata": {**_meta(obj), "annotations": obj["metadata"].get("annotations", {})}}


def _deployment(obj: Object) -> Object:
    status = obj.get("status", {})
    conditions = [_condition(item) for item in status.get("conditions", ())]
    counts = {key: value for key, value in status.items() if isinstance(value, int)}
    return {**_child(obj), "status": {**counts, "conditions": conditions}, OWNS_REPLICAS: _owns_replicas(obj)}


def _route(obj: Object) -> Object:
    """Also what Gateways say of it."""
    parents = [
        {
            "parentRef": parent["parentRef"],
            "conditions": [_condition(item, "observedGeneration") for item in parent.get("conditions", ())],
        }
        for parent in obj.get("status", {}).get("parents", ())
    ]
    return {**_child(obj), "status": {"parents": parents}}


def _owns_replicas(obj: Object) -> bool:
    return any(
        entry.get("manager") == MANAGER and "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {})
        for entry in obj["metadata"].get("managedFields", ())
        if not entry.get("subresource")
    )


def _pod(obj: Object) -> Object:
    meta, spec, status = obj["metadata"], obj.get("spec", {}), obj.get("status", {})
    annotations = meta.get("annotations", {})
    volumes = {item["name"]: item for item in spec.get("volumes", ())}
    return {
        "metadata": _meta(obj),
        "revision": annotations.get(ANNOTATION_REVISION),
        "traffic": annotations.get(ANNOTATION_TRAFFIC),
        "config": volumes.get("config", {}).get("configMap", {}).get("name"),
        "modelImage": volumes.get("model", {}).get("image", {}).get("reference"),
        "phase": status.get("phase"),
        "reason": status.get("reason"),
        "message": status.get("message"),
        "ip": status.get("podIP"),
        "conditions": [_condition(item) for item in status.get("conditions", ())],
        "containers": [
            _container(item) for key in ("initContainerStatuses", "containerStatuses") for item in status.get(key, ())
        ],
    }


def _condition(item: Object, *more: str) -> Object:
    return {key: item[key] for key in ("type", "status", "reason", "message", *more) if key in item}


def _container(item: Object) -> Object:
    return {key: item.get(key) for key in ("name", "image", "ready", "restartCount", "state", "lastState")}


_TRIMMERS: Final[dict[Kind, Callable[[Object], Object]]] = {
    NEURON: _neuron,
    VARIANT: _neuron,
    **dict.fromkeys(CHILD_KINDS, _child),
    DEPLOYMENT: _deployment,
    HTTP_ROUTE: _route,
    POD: _pod,
}
