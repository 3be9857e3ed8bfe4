"""The ConfigMap that tells the runtime what to serve and within which limits."""

from typing import Any, Final

import orjson

from ..api.names import support_name
from ..api.neuron import MLNeuron
from ..api.quantity import amount, seconds
from ..api.serving import PayloadLogSpec
from .meta import digest, metadata
from .source import CACHE_FOLDER, acceleration, caches, model_path, prepared_path
from .volumes import TOKENS_FOLDER
from .workers import workers

CONFIG_KEY: Final = "config.json"
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
    """The configuration that the runtime parses; durations in seconds, sizes in bytes, shares from 0 to 1."""
    batching = neuron.spec.batching
    return {
        "neuron": {"namespace": neuron.namespace, "name": neuron.name},
        "model": _model(neuron),
        "batching": {
            "maxSize": batching.max_size,
            "maxDelaySeconds": seconds(batching.max_delay),
            "maxQueue": batching.max_queue,
        },
        "serving": _serving(neuron),
    }


def _model(neuron: MLNeuron) -> dict[str, Any]:
    model = neuron.spec.model
    inputs = [item.model_dump(by_alias=True) for item in model.inputs or ()]
    return {
        "name": neuron.name,
        "version": model.version,
        "framework": model.resolved_framework(),
        "uri": model.uri,
        "path": model_path(model),
        "sha256": model.sha256,
        "acceleration": acceleration(neuron),
        "inputs": inputs or None,
        "cache": CACHE_FOLDER if caches(neuron) else None,
        "prepared": prepared_path(neuron),
    }


def _serving(neuron: MLNeuron) -> dict[str, Any]:
    serving = neuron.spec.serving
    auth, log = serving.auth, serving.payload_log
    return {
        "timeoutSeconds": seconds(serving.timeout),
        "maxBodyBytes": int(amount(serving.max_body_bytes)),
        "drainSeconds": drain_seconds(neuron),
        "workers": workers(neuron),
        "grpc": serving.grpc,
        "tokenFile": f"{TOKENS_FOLDER}/{auth.key}" if auth else None,
        "payloadLog": _payload_log(log) if log else None,
    }


def _payload_log(log: PayloadLogSpec) -> dict[str, Any]:
    return {"url": log.url, "sample": log.share, "mode": log.mode, "redact": log.redact}


def drain_seconds(neuron: MLNeuron) -> float:
    """How long a stopping pod may take to answer what it has accepted."""
    return seconds(neuron.spec.serving.timeout) + DRAIN_MARGIN_SECONDS
