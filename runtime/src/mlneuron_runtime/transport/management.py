"""What is asked about the neuron rather than of the model: probes, the guide's /health and /models, /metrics,
/stats.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from prometheus_client.metrics_core import Metric
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlneuron_runtime import tallies
from mlneuron_runtime.dataplane import PRIMARY, DataPlane, describe
from mlneuron_runtime.health import health_status
from mlneuron_runtime.loading import Served
from mlneuron_runtime.metrics import CONTENT_TYPE, Labels, Metrics
from mlneuron_runtime.tallies import Sum
from mlneuron_runtime.transport.wire import encode
from mlneuron_runtime.workers.processes import Processes


def routes(plane: DataPlane) -> list[Route]:
    """For the port that serves."""
    return [
        _get("/livez", lambda: livez(plane)),
        _get("/readyz", lambda: readyz(plane)),
        _get("/health", lambda: health(plane)),
        _get("/models", lambda: (200, models(plane))),
    ]


def telemetry_routes(plane: DataPlane, started_at: float, now: Callable[[], float] = time.time) -> list[Route]:
    """For the port that is scraped and probed. `started_at` and `now` are in Unix seconds."""
    everyone = plane.telemetry.everyone
    metrics = Metrics(
        plane.counted, lambda: None if plane.served is None else labels(plane.served),
        Processes(everyone) if everyone else None, lambda: variants_metrics(plane),
    )  # fmt: skip

    async def exposition(_request: Request) -> Response:
        return Response(metrics.exposition(), headers={"content-type": CONTENT_TYPE})

    return [
        Route("/metrics", exposition),
        _get("/stats", lambda: (200, stats(plane, started_at, now()))),
        _get("/livez", lambda: livez(plane)),
        _get("/readyz", lambda: readyz_of_all(plane)),
    ]


def labels(served: Served) -> Labels:
    """Of the metrics that name the model."""
    return Labels(served.name, served.version, served.framework, served.sha256, served.engine)


def _get(path: str, answer: Callable[[], tuple[int, dict[str, Any]]]) -> Route:
    async def endpoint(_request: Request) -> Response:
        status, content = answer()
        return Response(encode(content), status, media_type="application/json")

    return Route(path, endpoint)


def livez(plane: DataPlane) -> tuple[int, dict[str, Any]]:
    """200 while the process can work; a restart is the mend for anything else."""
    return (200, {"live": True}) if plane.works else (503, {"live": False})


def readyz(plane: DataPlane) -> tuple[int, dict[str, Any]]:
    """200 once the model is loaded and has answered, until the process drains."""
    return (200 if plane.ready else 503), {"ready": plane.ready}


def readyz_of_all(plane: DataPlane) -> tuple[int, dict[str, Any]]:
    """200 while one of the processes that serve is ready."""
    plane.note_present()
    ready = plane.telemetry.anyone_ready()
    return (200 if ready else 503), {"ready": ready}


def health(plane: DataPlane) -> tuple[int, dict[str, Any]]:
    """The guide's health; 503 when unhealthy or not ready, so that a probe on it means what it says."""
    counted = plane.counted()
    score = plane.health_score(counted)
    status = health_status(score)
    return (200 if plane.ready and status == "healthy" else 503), {
        "status": status,
        "health_score": score,
        "models_loaded": int(plane.loaded),
        **predictions(counted),
        "ready": plane.ready,
    }


def predictions(counted: Sum) -> dict[str, Any]:
    """What the guide's answers tell of the predictions so far."""
    return {
        "total_predictions": counted.count(tallies.PREDICTED) + counted.count(tallies.FAILED_ROWS),
        "success_rate": counted.success_rate,
        "average_inference_time_ms": counted.average_ms,
    }


def models(plane: DataPlane) -> dict[str, Any]:
    """The guide's `get_model_info`."""
    served = plane.served
    return {
        "available_models": [] if served is None else [PRIMARY],
        "model_metadata": {} if served is None else {PRIMARY: describe(served)},
        **predictions(plane.counted()),
    }


def variants_metrics(plane: DataPlane) -> Iterator[Metric]:
    """Of the variants, where there may be any."""
    if plane.traffic is None:
        return iter(())
    from mlneuron_runtime.traffic import report

    return report.metrics(plane.traffic, plane.telemetry.everyone or [plane.telemetry.tallies])


def variants_stats(plane: DataPlane) -> dict[str, Any]:
    """The same for /stats."""
    if plane.traffic is None:
        return {}
    from mlneuron_runtime.traffic import report

    return {"traffic": report.stats(plane.traffic, plane.telemetry.everyone or [plane.telemetry.tallies])}


def stats(plane: DataPlane, started_at: float, now: float) -> dict[str, Any]:
    """For the operator; counters are of requests, since the process started."""
    counted, source, served = plane.counted(), plane.config.model, plane.served
    score = plane.health_score(counted)
    return {
        "model": {
            "name": source.name,
            "version": source.version if served is None else served.version,
            "framework": source.framework,
            "sha256": None if served is None else served.sha256,
        },
        "acceleration": None if served is None else {"engine": served.engine, "reason": served.acceleration},
        "warnings": [] if served is None else [asdict(warned) for warned in served.warnings],
        "ready": counted[tallies.READY] > 0,
        "startedAt": started_at,
        "uptimeSeconds": round(now - started_at, 3),
        "requests": counted.count(tallies.REQUESTS),
        "successes": counted.count(tallies.SUCCESS),
        "failures": counted.count(tallies.SERVER_ERROR),
        "averageInferenceTimeMs": counted.average_ms,
        "p95Ms": counted.p95_ms,
        "healthScore": score,
        "healthStatus": health_status(score),
        "queueDepth": counted.count(tallies.QUEUE_DEPTH),
        **variants_stats(plane),
    }
