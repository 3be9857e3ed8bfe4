"""A variant's own pod: it says who it is, and works no longer than its front door waits."""

import threading
from typing import Any

from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.tensors import Inputs
from openapi_spec_validator import validate

from tests.runtime.conftest import Neuron, serving, summing
from tests.runtime.support import call, post

ROW = {"features": [1, 2]}
GIVEN = {"x-mlneuron-split": "gateway"}


async def counted(neuron: Neuron) -> dict[str, Any]:
    """What the pod counted of its own variant."""
    told: dict[str, Any] = (await call(neuron.telemetry, "GET", "/stats")).json["traffic"]["variants"]["candidate"]
    return told


async def test_it_says_who_answered_and_how_long_that_took() -> None:
    async with serving(neuron={"variant": "candidate"}) as neuron:
        for name in ("candidate", "1.0.0", "primary", "latest", None):
            reply = await post(neuron.app, "/predict", {**ROW, "model_version": name})
            assert (reply.status, reply.json["model_variant"]) == (200, "candidate")
            assert reply.headers["x-neuron-variant"] == "candidate"
            assert 0 < float(reply.headers["x-neuron-seconds"]) < 60
            assert reply.json["request_id"].endswith(reply.headers["x-neuron-prediction"])
        assert (await post(neuron.app, "/predict", {**ROW, "model_version": "other"})).status == 404


async def test_what_its_front_doors_send_is_theirs_to_count() -> None:
    async with serving(neuron={"variant": "candidate"}) as neuron:
        for headers in ({}, {"x-mlneuron-hop": "1"}, {"x-mlneuron-hop": "1", **GIVEN}):
            assert (await post(neuron.app, "/predict", ROW, headers)).status == 200
        assert (await counted(neuron))["requests"] == 0
        assert (await post(neuron.app, "/feedback", {"subject": "a", "outcome": 1})).status == 404
        validate((await call(neuron.app, "GET", "/openapi.json")).json)


async def test_what_a_gateway_gives_to_it_it_counts_itself() -> None:
    def picky(inputs: Inputs) -> Prediction:
        if 13 in inputs[0]:
            raise RuntimeError("no")
        return summing(inputs)

    async with serving(picky, neuron={"variant": "candidate"}) as neuron:
        reply = await post(neuron.app, "/predict", {**ROW, "user_id": "ann"}, GIVEN)
        assert (reply.status, reply.headers["x-neuron-variant"]) == (200, "candidate")
        assert reply.json["request_id"].endswith(reply.headers["x-neuron-prediction"])
        rows = {"batch_features": [[1, 2], [3, 4]], "user_ids": ["ann", "bob"]}
        assert (await post(neuron.app, "/batch_predict", rows, GIVEN)).json["batch_size"] == 2
        assert (await post(neuron.app, "/predict", {"features": ["a"]}, GIVEN)).status == 422
        assert (await post(neuron.app, "/predict", {"features": [13, 2]}, GIVEN)).status == 500
        told = await counted(neuron)
        assert (told["requests"], told["errors"], sum(told["latency"])) == (4, 1, 4)
        metrics = (await call(neuron.telemetry, "GET", "/metrics")).body
        assert b'mlneuron_variant_requests_total{variant="candidate"} 4.0' in metrics


async def test_what_a_gateway_gives_to_it_by_mistake_it_refuses() -> None:
    """No other variant's answer is taken for the one that was asked for."""
    async with serving(neuron={"variant": "candidate"}) as neuron:
        for name in ("candidate", "1.0.0", "latest"):
            assert (await post(neuron.app, "/predict", {**ROW, "model_version": name}, GIVEN)).status == 200
        named = {"x-neuron-variant": "primary", **GIVEN}
        for body, headers in (({**ROW, "model_version": "primary"}, GIVEN), (ROW, named)):
            reply = await post(neuron.app, "/predict", body, headers)
            assert reply.status == 404
            assert "available: candidate, latest, 1.0.0" in reply.json["error"]["message"]
            assert "by their names in X-Neuron-Variant" in reply.json["error"]["message"]


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
