"""The ConfigMap that tells the runtime what to serve and within which limits."""

from typing import Any, Final

import orjson

from ..api.names import PRIMARY, support_name
from ..api.quantity import amount, seconds
from ..api.serving import PayloadLogSpec
from ..api.workload import Workload
from .meta import digest, metadata
from .source import CACHE_FOLDER, acceleration, caches, model_path, prepared_path
from .volumes import TOKENS_FOLDER, TRAFFIC_FOLDER
from .workers import workers

CONFIG_KEY: Final = "config.json"
TRAFFIC_KEY: Final = "traffic.json"
DRAIN_MARGIN_SECONDS: Final = 5.0
"""Beyond the request deadline, what a stopping pod may take to answer what it has accepted."""


def config_map(workload: Workload) -> dict[str, Any]:
    """The runtime's configuration as ``config.json``, immutable and named by its content.

    Pods of the last revision that restart in mid-rollout must find the configuration that they were made with, not the
    one that may be the fault of a rollout that stands still.
    """
    text = orjson.dumps(runtime_config(workload), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(workload, f"{support_name(workload.name)}-{digest(text, 8)}"),
        "immutable": True,
        "data": {CONFIG_KEY: text},
    }


def runtime_config(workload: Workload) -> dict[str, Any]:
    """The configuration that the runtime parses; durations in seconds, sizes in bytes, shares from 0 to 1.

    A variant's model goes by its neuron's name: callers name it, and must not notice which of the two answers. The
    traffic file is named whether there are variants or not, so that the first one rolls no pod.
    """
    batching = workload.spec.batching
    return {
        "neuron": {"namespace": workload.namespace, "name": workload.neuron_name, "variant": workload.variant},
        "model": _model(workload),
        "batching": {
            "maxSize": batching.max_size,
            "maxDelaySeconds": seconds(batching.max_delay),
            "maxQueue": batching.max_queue,
        },
        "serving": _serving(workload),
    }


def _model(workload: Workload) -> dict[str, Any]:
    model = workload.spec.model
    inputs = [item.model_dump(by_alias=True) for item in model.inputs or ()]
    return {
        "name": workload.neuron_name,
        "version": model.version,
        "framework": model.resolved_framework(),
        "uri": model.uri,
        "path": model_path(model),
        "sha256": model.sha256,
        "acceleration": acceleration(workload),
        "inputs": inputs or None,
        "cache": CACHE_FOLDER if caches(workload) else None,
        "prepared": prepared_path(workload),
    }


def _serving(workload: Workload) -> dict[str, Any]:
    serving = workload.spec.serving
    auth, log = serving.auth, serving.payload_log
    return {
        "timeoutSeconds": seconds(serving.timeout),
        "maxBodyBytes": int(amount(serving.max_body_bytes)),
        "drainSeconds": drain_seconds(workload),
        "workers": workers(workload),
        "grpc": serving.grpc,
        "trafficFile": f"{TRAFFIC_FOLDER}/{TRAFFIC_KEY}" if workload.variant == PRIMARY else None,
        "tokenFile": f"{TOKENS_FOLDER}/{auth.key}" if auth else None,
        "payloadLog": _payload_log(log) if log else None,
    }


def _payload_log(log: PayloadLogSpec) -> dict[str, Any]:
    return {"url": log.url, "sample": log.share, "mode": log.mode, "redact": log.redact}


def drain_seconds(workload: Workload) -> float:
    """How long a stopping pod may take to answer what it has accepted."""
    return seconds(workload.spec.serving.timeout) + DRAIN_MARGIN_SECONDS
