"""Metadata that every child shares, and the digest that seals it."""

import hashlib
from typing import Any

import orjson

from ..api.names import ANNOTATION_DESIRED, API_VERSION, NEURON_KIND, child_labels
from ..api.neuron import MLNeuron


def metadata(neuron: MLNeuron, name: str, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    """Metadata of a child: labelled as the neuron's, owned by it, so that deleting the neuron deletes the child."""
    meta: dict[str, Any] = {
        "name": name,
        "namespace": neuron.namespace,
        "labels": child_labels(neuron.name),
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": NEURON_KIND,
                "name": neuron.name,
                "uid": neuron.uid,
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
