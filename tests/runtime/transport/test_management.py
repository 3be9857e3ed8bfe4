"""Probes, the guide's /health and /models, and what port 9090 tells."""

import asyncio
import time
from pathlib import Path

import msgspec
import pytest
from mlneuron_runtime.app import serving_app, telemetry_app
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.settings import Config
from mlneuron_runtime.transport.management import stats

from tests.runtime.conftest import Neuron, serving
from tests.runtime.odd_models import BLOCK, POISON, Gate
from tests.runtime.support import call, config_for, post, until


@pytest.fixture
async def loading() -> DataPlane:
    """A neuron whose model is not loaded yet."""
    return DataPlane(msgspec.convert(config_for(Path("m.joblib")), Config))


async def test_before_the_model_is_loaded_the_process_lives_and_is_not_ready(loading: DataPlane) -> None:
    app = serving_app(loading)
    assert (await call(app, "GET", "/livez")).status == 200
    assert (await call(app, "GET", "/readyz")).status == 503
    health = await call(app, "GET", "/health")
    assert health.status == 503
    assert (health.json["status"], health.json["health_score"], health.json["models_loaded"]) == (
        "unhealthy",
        0,
        0,
    )
    assert (await call(app, "GET", "/models")).json["available_models"] == []
    refused = await post(app, "/predict", {"features": [1, 2]})
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    told = (await call(telemetry_app(loading, 1.0), "GET", "/stats")).json
    assert (told["ready"], told["healthScore"], told["model"]["sha256"]) == (False, 0, None)


async def test_a_loaded_model_is_ready_and_healthy(neuron: Neuron) -> None:
    for path in ("/livez", "/readyz", "/health"):
        assert (await call(neuron.app, "GET", path)).status == 200
    assert (await call(neuron.app, "GET", "/health")).json == {
        "status": "healthy",
        "health_score": 100,
        "models_loaded": 1,
        "total_predictions": 0,
        "success_rate": 1.0,
        "average_inference_time_ms": 0.0,
        "ready": True,
    }


async def test_draining_is_told_by_readiness_and_closes_connections_while_requests_are_served(
    neuron: Neuron,
) -> None:
    neuron.plane.draining = True
    assert (await call(neuron.app, "GET", "/readyz")).status == 503
    assert (await call(neuron.app, "GET", "/livez")).status == 200
    assert (await call(neuron.app, "GET", "/health")).status == 503
    reply = await post(neuron.app, "/predict", {"features": [1, 2]})
    assert (reply.status, reply.headers["connection"]) == (200, "close")
    refused = await post(neuron.app, "/predict", {"features": [1]})
    assert (refused.status, refused.headers["connection"]) == (422, "close")


async def test_failures_lower_the_health(neuron: Neuron) -> None:
    for value in (1.0, POISON):
        await post(neuron.app, "/predict", {"features": [value, 1]})
    health = (await call(neuron.app, "GET", "/health")).json
    assert (health["health_score"], health["success_rate"], health["total_predictions"]) == (70, 0.5, 2)


async def test_the_models_are_told_with_the_guides_keys(neuron: Neuron) -> None:
    await post(neuron.app, "/batch_predict", {"batch_features": [[1, 2], [3, 4], [5]]})
    told = (await call(neuron.app, "GET", "/models")).json
    assert told.pop("average_inference_time_ms") > 0
    assert told == {
        "available_models": ["primary"],
        "model_metadata": {
            "primary": {
                "name": "churn",
                "version": "1.0.0",
                "type": "sklearn_summing",
                "framework": "sklearn",
                "engine": "sklearn",
                "acceleration": "Off",
                "trained_at": None,
                "accuracy": None,
                "features": 2,
                "feature_names": None,
                "sha256": "ab" * 32,
                "loaded_at": 1.7e9,
                "classes": ["no", "yes"],
            }
        },
        "total_predictions": 2,
        "success_rate": 1.0,
    }


async def test_stats_count_requests_by_whose_fault_they_are(neuron: Neuron) -> None:
    bodies = [{"features": [1, 2]}, {"features": [1]}, {"features": [POISON, 1]}, {}]
    for body in bodies:
        await post(neuron.app, "/predict", body)
    await post(neuron.app, "/batch_predict", {"batch_features": [[1, 2], [POISON, 1]]})
    told = stats(neuron.plane, 1000.0, 1012.5)
    assert told.pop("averageInferenceTimeMs") > 0
    assert told.pop("p95Ms") > 0
    assert told == {
        "model": {"name": "churn", "version": "1.0.0", "framework": "sklearn", "sha256": "ab" * 32},
        "acceleration": {"engine": "sklearn", "reason": "Off"},
        "warnings": [],
        "ready": True,
        "startedAt": 1000.0,
        "uptimeSeconds": 12.5,
        "requests": 5,
        "successes": 1,
        "failures": 2,
        "healthScore": 70,
        "healthStatus": "healthy",
        "queueDepth": 0,
    }


async def test_metrics_keep_the_guides_names_and_labels(neuron: Neuron) -> None:
    for features in ([1, 2], [3, 4], [1], [POISON, 1]):
        await post(neuron.app, "/predict", {"features": features})
    reply = await call(neuron.telemetry, "GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = reply.body.decode().splitlines()
    for line in (
        'ml_prediction_requests_total{model_version="1.0.0"} 3.0',
        'ml_prediction_duration_seconds_count{model_version="1.0.0"} 3.0',
        "ml_active_models 1.0",
        "# TYPE ml_model_accuracy gauge",
        'mlneuron_requests_total{outcome="success"} 2.0',
        'mlneuron_requests_total{outcome="client_error"} 1.0',
        'mlneuron_requests_total{outcome="server_error"} 1.0',
        'mlneuron_errors_total{reason="InvalidInput"} 1.0',
        'mlneuron_errors_total{reason="ModelFailed"} 1.0',
        'mlneuron_predictions_total{outcome="success"} 2.0',
        'mlneuron_predictions_total{outcome="failure"} 1.0',
        "mlneuron_queue_depth 0.0",
        "mlneuron_batch_rows_count 3.0",
        "mlneuron_ready 1.0",
    ):
        assert line in lines
    assert not [line for line in lines if line.startswith("ml_model_accuracy")], "accuracy is told only when known"


async def test_an_unknown_path_and_a_wrong_method_are_answered_in_the_one_shape(neuron: Neuron) -> None:
    missing = await call(neuron.app, "GET", "/nope")
    assert missing.status == 404
    assert missing.json["error"]["field"] == "path"
    assert missing.json["request_id"] == missing.headers["x-request-id"]
    wrong = await call(neuron.app, "GET", "/predict")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json["error"]["message"] == "/predict does not take GET; use POST"
    assert (await call(neuron.app, "POST", "/predict/")).status == 404
    assert (await call(neuron.telemetry, "GET", "/predict")).status == 404


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("req-1:a/B+c=d@e.f_g", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("a b", False),
        ('"', False),
        ("", False),
    ],
)
async def test_a_request_id_is_kept_when_it_is_harmless(neuron: Neuron, sent: str, kept: bool) -> None:
    reply = await call(neuron.app, "GET", "/livez", headers={"x-request-id": sent})
    assert (reply.headers["x-request-id"] == sent) is kept
    assert reply.headers["x-request-id"]


async def test_a_process_whose_model_hangs_is_not_alive() -> None:
    gate, late = Gate(lambda inputs: Prediction(inputs[0].sum(axis=1))), [0.0]
    async with serving(gate, clock=lambda: time.perf_counter() + late[0]) as neuron:
        request = asyncio.create_task(post(neuron.app, "/predict", {"features": [BLOCK, 0]}))
        await until(gate.entered.is_set)
        assert (await call(neuron.app, "GET", "/livez")).status == 200
        late[0] = 61.0
        assert (await call(neuron.app, "GET", "/livez")).status == 503
        assert (await call(neuron.app, "GET", "/readyz")).status == 503
        gate.opened.set()
        assert (await request).status == 200
        assert (await call(neuron.app, "GET", "/livez")).status == 200
