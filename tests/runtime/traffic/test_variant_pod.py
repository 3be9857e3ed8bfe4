"""A variant's own pod: it says who it is, and works no longer than its front door waits."""

import threading

from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.tensors import Inputs
from openapi_spec_validator import validate

from tests.runtime.conftest import serving, summing
from tests.runtime.support import call, post

ROW = {"features": [1, 2]}


async def test_it_says_who_answered_and_how_long_that_took() -> None:
    async with serving(neuron={"variant": "candidate"}) as neuron:
        for name in ("candidate", "1.0.0", "primary", "latest", None):
            reply = await post(neuron.app, "/predict", {**ROW, "model_version": name})
            assert (reply.status, reply.json["model_variant"]) == (200, "candidate")
            assert reply.headers["x-neuron-variant"] == "candidate"
            assert 0 < float(reply.headers["x-neuron-seconds"]) < 60
            assert reply.json["request_id"].endswith(reply.headers["x-neuron-prediction"])
        assert (await post(neuron.app, "/predict", {**ROW, "model_version": "other"})).status == 404


async def test_it_keeps_no_score_of_its_own() -> None:
    """Its front doors do, for all variants alike."""
    async with serving(neuron={"variant": "candidate"}) as neuron:
        assert (await post(neuron.app, "/feedback", {"subject": "a", "outcome": 1})).status == 404
        assert "traffic" not in (await call(neuron.telemetry, "GET", "/stats")).json
        assert b"mlneuron_variant" not in (await call(neuron.telemetry, "GET", "/metrics")).body
        validate((await call(neuron.app, "GET", "/openapi.json")).json)


async def test_it_gives_up_when_its_front_door_does() -> None:
    go = threading.Event()

    def slow(inputs: Inputs) -> Prediction:
        go.wait()
        return summing(inputs)

    async with serving(slow, neuron={"variant": "candidate"}) as neuron:
        reply = await post(neuron.app, "/predict", ROW, {"x-mlneuron-hop": "1", "x-request-deadline-ms": "50"})
        assert reply.status == 504
        go.set()
        late = {"x-mlneuron-hop": "1", "x-request-deadline-ms": "no number"}
        assert (await post(neuron.app, "/predict", ROW, late)).status == 200
