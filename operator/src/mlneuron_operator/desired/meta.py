"""Metadata that every child shares, and the digest that seals it."""

import hashlib
from typing import Any

import orjson

from ..api.names import ANNOTATION_DESIRED, API_VERSION, child_labels
from ..api.workload import Workload


def metadata(workload: Workload, name: str, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    """Metadata of a child: labelled as the neuron's, owned by whom it is made for, so that deleting that deletes it."""
    meta: dict[str, Any] = {
        "name": name,
        "namespace": workload.namespace,
        "labels": child_labels(workload.neuron_name, workload.variant),
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": workload.kind,
                "name": workload.owner,
                "uid": workload.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    if annotations:
        meta["annotations"] = dict(annotations)
    return meta


def digest(value: Any, length: int = 16) -> str:
    """First ``length`` hex characters of the SHA-256 of a JSON value; the order of keys does not matter."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:length]


def seal(obj: dict[str, Any]) -> dict[str, Any]:
    """The object with its own digest among its annotations."""
    mark = digest(obj)
    meta = obj["metadata"]
    annotations = {**meta.get("annotations", {}), ANNOTATION_DESIRED: mark}
    return {**obj, "metadata": {**meta, "annotations": annotations}}
