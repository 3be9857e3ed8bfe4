"""The payload log: what is sent, what is kept back, and a sink that is slow, ill or gone."""

import asyncio
import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from mlneuron_runtime import tallies
from mlneuron_runtime.payloads import LARGEST, sender
from mlneuron_runtime.signature import Matrix
from structlog.testing import capture_logs

from tests.runtime.conftest import Neuron, serving
from tests.runtime.odd_models import POISON
from tests.runtime.payload_sink import PayloadSink, payload_sink
from tests.runtime.support import call, post, until

PREDICT = "/v1/models/churn:predict"


@pytest.fixture
def sink() -> Iterator[PayloadSink]:
    with payload_sink() as sink:
        yield sink


def logging(url: str, **changes: Any) -> dict[str, Any]:
    return {"payloadLog": {"url": url, **changes}}


def counted(neuron: Neuron) -> tuple[int, int, int]:
    """Sent, not taken by the sink, crowded out."""
    told = neuron.plane.counted()
    return (
        told.count(tallies.PAYLOADS_SENT),
        told.count(tallies.PAYLOADS_UNSENT),
        told.count(tallies.PAYLOADS_CROWDED_OUT),
    )


async def test_a_request_and_its_answer_are_events_of_one_id(sink: PayloadSink) -> None:
    async with serving(serving=logging(sink.url)) as neuron:
        reply = await post(
            neuron.app, "/predict", {"features": [1, 2]}, {"x-request-id": "r-1", "authorization": "Bearer x"}
        )
        await until(lambda: len(sink.posted) == 2)
    request, response = sink.posted
    common = {
        "ce-specversion": "1.0", "ce-id": "r-1", "ce-source": "/namespaces/ml/mlneurons/churn",
        "ce-inferenceservicename": "churn", "ce-namespace": "ml", "ce-component": "predictor",
        "ce-modelname": "churn", "ce-modelversion": "1.0.0", "ce-protocol": "guide", "content-type": "application/json",
    }  # fmt: skip
    assert common.items() <= request.headers.items()
    assert common.items() <= response.headers.items()
    assert request.headers["ce-type"] == "org.kubeflow.serving.inference.request"
    assert response.headers["ce-type"] == "org.kubeflow.serving.inference.response"
    assert response.headers["ce-status"] == "200"
    assert request.headers["ce-time"].endswith("Z")
    assert (request.json, response.body) == ({"features": [1, 2]}, reply.body)
    assert "Bearer" not in str(sink.posted)


async def test_errors_are_logged_as_the_caller_is_told_them(sink: PayloadSink) -> None:
    async with serving(serving=logging(sink.url)) as neuron:
        refused = await post(neuron.app, PREDICT, {"instances": [[1]]})
        failed = await post(neuron.app, "/predict", {"features": [POISON, 1]})
        await until(lambda: len(sink.posted) == 4)
    assert (refused.status, failed.status) == (400, 500)
    told = [(event.headers["ce-status"], event.headers["ce-protocol"], event.body) for event in sink.of("response")]
    assert told == [("400", "v1", refused.body), ("500", "guide", failed.body)]


@pytest.mark.parametrize(("mode", "kinds"), [("Request", {"request"}), ("Response", {"response"})])
async def test_the_mode_chooses_what_is_sent(sink: PayloadSink, mode: str, kinds: set[str]) -> None:
    async with serving(serving=logging(sink.url, mode=mode)) as neuron:
        for _ in range(3):
            await post(neuron.app, "/predict", {"features": [1, 2]})
        await until(lambda: len(sink.posted) == 3)
    assert {event.kind for event in sink.posted} == kinds


async def test_a_share_is_sampled(sink: PayloadSink) -> None:
    async with serving(serving=logging(sink.url, sample=0.0)) as neuron:
        await post(neuron.app, "/predict", {"features": [1, 2]})
    draws = iter([0.1, 0.5, 0.2, 0.9, 0.3])
    async with serving(serving=logging(sink.url, sample=0.3)) as neuron:
        app = neuron.app.middleware_stack
        app.hot["/predict"].payloads._draw = lambda: next(draws)
        for place in range(5):
            await post(neuron.app, "/predict", {"features": [place, 2]})
        await until(lambda: len(sink.posted) == 4)
    assert [event.json["features"][0] for event in sink.of("request")] == [0, 2]


async def test_named_fields_and_columns_stay_here(sink: PayloadSink) -> None:
    async with serving(serving=logging(sink.url, redact=["age", "user_id"])) as neuron:
        assert neuron.plane.served is not None
        neuron.plane.served.model.signature = Matrix(2, ("age", "income"))  # type: ignore[misc]
        await post(neuron.app, "/predict", {"features": [41, 2], "user_id": "u-77"})
        await post(neuron.app, PREDICT, {"instances": [[41, "u-77"]]})
        await call(neuron.app, "POST", "/predict", b'{"user_id": "u-77", "features": [41,')
        await until(lambda: len(sink.posted) == 6)
    assert [event.body and event.json for event in sink.of("request")] == [
        {"features": [None, 2], "user_id": None},
        b"",
        b"",
    ]
    assert [event.headers.get("ce-omitted") for event in sink.of("request")] == [
        None,
        "refused",
        "refused",
    ]
    assert "u-77" not in str(sink.posted)


async def test_a_body_that_is_too_large_is_told_without_its_data(sink: PayloadSink) -> None:
    async with serving(serving=logging(sink.url)) as neuron:
        rows = json.dumps({"batch_features": [[1, 2]], "padding": "x" * LARGEST}).encode()
        await call(neuron.app, "POST", "/batch_predict", [rows[:1000], rows[1000:]])
        await until(lambda: len(sink.posted) == 2)
    assert sink.posted[0].headers["ce-omitted"] == "too-large"
    assert (sink.posted[0].body, sink.posted[1].json["batch_size"]) == (b"", 1)


async def test_a_body_that_is_nested_too_deep_to_redact_stays_here(sink: PayloadSink) -> None:
    async with serving(serving=logging(sink.url, redact=["user_id"])) as neuron:
        deep = b'{"features": [1, 2], "user_id": "u-77", "x": ' + b"[" * 900 + b"]" * 900 + b"}"
        assert (await call(neuron.app, "POST", "/predict", deep)).status == 200
        await until(lambda: counted(neuron) == (2, 0, 0))  # after both are posted
    assert (sink.posted[0].headers["ce-omitted"], sink.posted[0].body) == ("unreadable", b"")


async def test_binary_tensors_are_told_without_their_bytes(sink: PayloadSink) -> None:
    tensor = {"name": "features", "datatype": "FP64", "shape": [1, 2], "parameters": {"binary_data_size": 16}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))}
    async with serving(serving=logging(sink.url)) as neuron:
        body = head + struct.pack("<2d", 1.0, 2.0)
        assert (await call(neuron.app, "POST", "/v2/models/churn/infer", body, headers)).status == 200
        await until(lambda: len(sink.posted) == 2)
    assert [event.headers["ce-omitted"] for event in sink.posted] == ["binary-tensors"] * 2
    assert sink.posted[0].json["inputs"] == [tensor]
    assert sink.posted[1].json["outputs"][0]["shape"] == [1]


async def test_one_connection_is_kept_and_a_closed_one_replaced(sink: PayloadSink) -> None:
    async with serving(serving=logging(sink.url, mode="Request")) as neuron:
        for place in range(20):
            await post(neuron.app, "/predict", {"features": [place, 2]})
        await until(lambda: counted(neuron)[0] == 20)
    assert sink.connections == 1
    assert [event.json["features"][0] for event in sink.posted] == list(range(20))


async def test_a_full_queue_drops_and_counts_and_holds_nobody_up(
    sink: PayloadSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "MAX_QUEUE", 4)
    sink.gate.clear()
    async with serving(serving=logging(sink.url, mode="Request")) as neuron:
        for place in range(20):
            assert (await post(neuron.app, "/predict", {"features": [place, 2]})).status == 200
        dropped = counted(neuron)[2]
        assert dropped >= 15
        sink.gate.set()
        await until(lambda: sum(counted(neuron)) == 20)
        metrics = (await call(neuron.telemetry, "GET", "/metrics")).body.decode()
    assert f'mlneuron_payload_log_dropped_total{{reason="queue_full"}} {dropped}.0' in metrics
    assert f"mlneuron_payload_log_sent_total {20 - dropped}.0" in metrics


async def test_a_sink_that_is_not_there_costs_a_counter_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(sender, "LONGEST_PAUSE_SECONDS", 0.002)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://user:hidden@127.0.0.1:{listener.getsockname()[1]}/"
    with capture_logs() as told:
        async with serving(serving=logging(nobody)) as neuron:
            for _ in range(10):
                assert (await post(neuron.app, "/predict", {"features": [1, 2]})).status == 200
            await until(lambda: counted(neuron)[1] == 20)
    lines = [event for event in told if event["log_level"] == "warning"]
    assert len(lines) == 1
    assert "hidden" not in str(told)


async def test_a_sink_that_is_ill_is_tried_again_and_one_that_refuses_is_not(
    sink: PayloadSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "FIRST_PAUSE_SECONDS", 0.001)
    sink.statuses += [503, 429, 202, 400, 202, 500, 500, 500]
    async with serving(serving=logging(sink.url, mode="Request")) as neuron:
        for place in range(4):
            await post(neuron.app, "/predict", {"features": [place, 2]})
        await until(lambda: sum(counted(neuron)) == 4)
        assert counted(neuron) == (2, 2, 0)
    assert [event.json["features"][0] for event in sink.posted] == [0, 0, 0, 1, 2, 3, 3, 3]


async def test_what_is_queued_is_sent_before_the_process_leaves(sink: PayloadSink) -> None:
    async with serving(serving=logging(sink.url)) as neuron:
        for place in range(5):
            await post(neuron.app, "/predict", {"features": [place, 2]})
        await asyncio.to_thread(neuron.app.middleware_stack.hot["/predict"].payloads.close)
    assert len(sink.posted) == 10
