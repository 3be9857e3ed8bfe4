"""The ConfigMap that tells the runtime what to serve and within which limits."""

from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from ..api.names import support_name
from ..api.neuron import MLNeuron, ModelSpec
from ..api.quantity import amount, seconds
from .meta import digest, metadata

CONFIG_KEY: Final = "config.json"
CONFIG_FOLDER: Final = "/etc/mlneuron"
MODEL_FOLDER: Final = "/models"
DRAIN_MARGIN_SECONDS: Final = 5.0
"""Beyond the request deadline, what a stopping pod may take to answer what it has accepted."""


def config_map(neuron: MLNeuron) -> dict[str, Any]:
    """The runtime's configuration as ``config.json``, immutable and named by its content.

    Pods of the last revision that restart in mid-rollout must find the configuration that they were made with, not the
    one that may be the fault of a rollout that stands still.
    """
    text = orjson.dumps(runtime_config(neuron), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(neuron, f"{support_name(neuron.name)}-{digest(text, 8)}"),
        "immutable": True,
        "data": {CONFIG_KEY: text},
    }


def runtime_config(neuron: MLNeuron) -> dict[str, Any]:
    """The configuration that the runtime parses; durations in seconds, sizes in bytes."""
    spec = neuron.spec
    return {
        "neuron": {"namespace": neuron.namespace, "name": neuron.name},
        "model": {
            "name": neuron.name,
            "version": spec.model.version,
            "framework": spec.model.resolved_framework(),
            "uri": spec.model.uri,
            "path": model_path(spec.model),
            "sha256": spec.model.sha256,
        },
        "batching": {
            "maxSize": spec.batching.max_size,
            "maxDelaySeconds": seconds(spec.batching.max_delay),
            "maxQueue": spec.batching.max_queue,
        },
        "serving": {
            "timeoutSeconds": seconds(spec.serving.timeout),
            "maxBodyBytes": int(amount(spec.serving.max_body_bytes)),
            "drainSeconds": drain_seconds(neuron),
        },
    }


def drain_seconds(neuron: MLNeuron) -> float:
    """How long a stopping pod may take to answer what it has accepted."""
    return seconds(neuron.spec.serving.timeout) + DRAIN_MARGIN_SECONDS


def claim_of(model: ModelSpec) -> str | None:
    """Name of the PersistentVolumeClaim that holds the model; None for a model that is fetched."""
    return model.uri.removeprefix("pvc://").partition("/")[0] if model.uri.startswith("pvc://") else None


def model_path(model: ModelSpec) -> str:
    """Where the model file is inside the pod."""
    claim = claim_of(model)
    if claim is not None:
        return f"{MODEL_FOLDER}/{model.uri.removeprefix(f'pvc://{claim}/').lstrip('/')}"
    return f"{MODEL_FOLDER}/{urlsplit(model.uri).path.rpartition('/')[2] or 'model'}"
