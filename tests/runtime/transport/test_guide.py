"""The guide's prediction API: its bodies, and an answer of one shape to everything that can be wrong."""

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.signature import MAX_ROWS

from tests.runtime.conftest import Neuron, counts, serving
from tests.runtime.odd_models import BLOCK, NOT_FINITE, POISON, SENSITIVE, Gate
from tests.runtime.support import call, post, until

PATHS = ["/predict", "/batch_predict"]


def labelled(inputs: Any) -> Prediction:
    (rows,) = inputs
    return Prediction(np.array(["no", "yes"]).take((rows.sum(axis=1) > 0).astype(int)), np.full(len(rows), 0.75))


async def test_a_prediction_has_the_guides_fields(neuron: Neuron) -> None:
    reply = await post(neuron.app, "/predict", {"features": [1, 2.5], "user_id": "user_123"})
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json | {"inference_time_ms": 0} == {
        "prediction": 3.5,
        "confidence": None,
        "model_version": "1.0.0",
        "inference_time_ms": 0,
    }
    assert isinstance(reply.json["inference_time_ms"], int)


async def test_labels_are_strings_and_come_with_their_confidence() -> None:
    async with serving(labelled) as neuron:
        reply = await post(neuron.app, "/predict", {"features": [1, 2]})
        assert (reply.json["prediction"], reply.json["confidence"]) == ("yes", 0.75)


async def test_several_outputs_are_a_list() -> None:
    async with serving(lambda inputs: Prediction(inputs[0] * 2)) as neuron:
        assert (await post(neuron.app, "/predict", {"features": [1, 2]})).json["prediction"] == [2.0, 4.0]


@pytest.mark.parametrize("version", [None, "latest", "primary", "1.0.0"])
async def test_the_served_version_answers_to_its_names(neuron: Neuron, version: str | None) -> None:
    reply = await post(neuron.app, "/predict", {"features": [1, 2], "model_version": version})
    assert (reply.status, reply.json["model_version"]) == (200, "1.0.0")


@pytest.mark.parametrize("path", PATHS)
async def test_another_version_is_not_found_and_the_available_ones_are_named(neuron: Neuron, path: str) -> None:
    reply = await post(neuron.app, path, {"features": [1, 2], "batch_features": [[1, 2]], "model_version": "2.0.0"})
    assert reply.status == 404
    assert reply.json["error"] == {
        "field": "model_version",
        "value": "2.0.0",
        "message": "model_version is not served here; available: primary, latest, 1.0.0",
    }


async def test_a_batch_has_the_guides_fields_and_errors_by_row(neuron: Neuron) -> None:
    batch = [[1, 2], [1], [3, 4], [POISON, 1], [5, "6"], [NOT_FINITE, 1], [7, 8]]
    reply = await post(neuron.app, "/batch_predict", {"batch_features": batch})
    assert reply.status == 200
    assert reply.json["batch_size"] == 7
    rows = reply.json["predictions"]
    assert [row.get("prediction") for row in rows] == [3.0, None, 7.0, None, None, None, 15.0]
    assert {place: row["error"]["field"] for place, row in enumerate(rows) if "error" in row} == {
        1: "batch_features[1]",
        3: "model",
        4: "batch_features[4][1]",
        5: "model",
    }
    assert [row["row"] for row in rows if "error" in row] == [1, 3, 4, 5]
    assert set(rows[0]) == {"prediction", "confidence", "model_version", "inference_time_ms"}
    assert SENSITIVE not in reply.body.decode()


async def test_a_batch_is_one_call_of_the_model() -> None:
    gate = Gate(lambda inputs: Prediction(inputs[0].sum(axis=1)))
    async with serving(gate) as neuron:
        rows = [[float(place), 1.0] for place in range(MAX_ROWS)]
        reply = await post(neuron.app, "/batch_predict", {"batch_features": rows})
    assert [row["prediction"] for row in reply.json["predictions"]] == [place + 1.0 for place in range(MAX_ROWS)]
    assert gate.sizes == [MAX_ROWS]


async def test_a_batch_of_bad_rows_only_is_answered_without_the_model(neuron: Neuron) -> None:
    reply = await post(neuron.app, "/batch_predict", {"batch_features": [[1], None]})
    assert reply.status == 200
    assert ["error" in row for row in reply.json["predictions"]] == [True, True]


BAD_BODIES: list[tuple[str, bytes, int, str, str]] = [
    ("/predict", b"", 400, "body", "not valid JSON"),
    ("/predict", b"{", 400, "body", "not valid JSON"),
    ("/predict", b'{"features": [1, 2]} x', 400, "body", "not valid JSON"),
    ("/predict", b'{"features": [NaN, 2]}', 400, "features[0]", "is not a finite number, and so not JSON"),
    ("/predict", b'{"features": [1, -Infinity]}', 400, "features[1]", "is not a finite number, and so not JSON"),
    ("/predict", b'{"features": [1e999, 2]}', 400, "features[0]", "is not a finite number, and so not JSON"),
    ("/predict", b'{"features": [NaN, 2', 400, "body", "not valid JSON"),
    ("/predict", b"NaN", 400, "body", "is not a finite number, and so not JSON"),
    ("/predict", b'{"a": {"\\ud800": Infinity}}', 400, "a.?", "is not a finite number, and so not JSON"),
    ("/predict", b'{"' + b"a" * 1000 + b'": NaN}', 400, "a" * 100 + "…", "is not a finite number, and so not JSON"),
    ("/batch_predict", b'{"batch_features": [[1, 2], [NaN, 2]]}', 400, "batch_features[1][0]", "send a number"),
    ("/predict", b'\xff\xfe{"features": [1, 2]}', 400, "body", "not valid JSON"),
    ("/predict", b"[1, 2]", 400, "body", "not an object"),
    ("/predict", b"null", 400, "body", "not an object"),
    ("/predict", b'"features"', 400, "body", "not an object"),
    ("/predict", b"[" * 100_000, 400, "body", "not valid JSON"),
    ("/predict", b'{"features": ' + b"[" * 1000 + b"]" * 1000 + b"}", 422, "features", "has 1 values"),
    ("/predict", b"{}", 422, "features", "features is missing"),
    ("/predict", b'{"features": null}', 422, "features", "features is null; send an array of 2 numbers"),
    ("/predict", b'{"features": []}', 422, "features", "has 0 values; send an array of 2 numbers"),
    ("/predict", b'{"features": [1, 2, 3]}', 422, "features", "has 3 values"),
    ("/predict", b'{"features": ["1", 2]}', 422, "features[0]", "is a string; send a number"),
    ("/predict", b'{"features": [1e300, 2]}', 422, "features[0]", "send a finite number"),
    ("/predict", b'{"features": [' + b"9" * 200 + b", 2]}", 422, "features[0]", "send a finite number"),
    ("/predict", b'{"features": [1, 2], "model_version": 1}', 422, "model_version", "must be a string"),
    ("/predict", b'{"features": [1, 2], "model_version": [1]}', 422, "model_version", "must be a string"),
    ("/predict", b'{"features": [1, 2], "user_id": {}}', 422, "user_id", "user_id must be a string"),
    ("/batch_predict", b'{"features": [1, 2]}', 422, "batch_features", "batch_features is missing"),
    ("/batch_predict", b'{"batch_features": []}', 422, "batch_features", "is empty; send at least one row"),
    ("/batch_predict", b'{"batch_features": {"a": [1, 2]}}', 422, "batch_features", "is an object"),
    (
        "/batch_predict",
        b'{"batch_features": [' + b"0," * MAX_ROWS + b"0]}",
        413,
        "batch_features",
        "at most 10000",
    ),
]


@pytest.mark.parametrize(("path", "body", "status", "field", "message"), BAD_BODIES)
async def test_a_bad_body_is_told_by_field_and_mend(
    neuron: Neuron, path: str, body: bytes, status: int, field: str, message: str
) -> None:
    reply = await call(neuron.app, "POST", path, body)
    assert reply.status == status
    assert set(reply.json) == {"error", "request_id"}
    assert reply.json["error"]["field"] == field
    assert message in reply.json["error"]["message"]
    assert reply.json["request_id"] == reply.headers["x-request-id"]
    assert counts(neuron) == (1, 0, 0)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"content-type": "text/xml"}, "Content-Type"),
        ({"content-type": "application/x-www-form-urlencoded"}, "Content-Type"),
        ({"content-encoding": "gzip"}, "Content-Encoding"),
    ],
)
async def test_a_body_that_is_not_plain_json_is_refused(
    neuron: Neuron, path: str, headers: dict[str, str], field: str
) -> None:
    reply = await post(neuron.app, path, {"features": [1, 2]}, headers)
    assert (reply.status, reply.json["error"]["field"]) == (415, field)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/x+json"])
async def test_every_kind_of_json_is_taken(neuron: Neuron, content_type: str) -> None:
    reply = await post(neuron.app, "/predict", {"features": [1, 2]}, {"content-type": content_type})
    assert reply.status == 200


@pytest.mark.parametrize("length", ["101", "9" * 5000])
async def test_a_body_too_large_is_refused_by_its_header_unread(length: str) -> None:
    async with serving(serving={"maxBodyBytes": 100}) as neuron:
        reply = await call(neuron.app, "POST", "/predict", [], {"content-length": length})
    assert reply.status == 413
    assert "connection" not in reply.headers, "a close upon unread bytes would reset the answer away"
    assert "larger than 100 bytes (serving.maxBodyBytes)" in reply.json["error"]["message"]


async def test_a_body_too_large_is_refused_at_the_byte_that_is_too_many() -> None:
    async with serving(serving={"maxBodyBytes": 100}) as neuron:
        just_right = json.dumps({"features": [1, 2]}).encode().ljust(100)
        halves = [just_right[:50], just_right[50:]]
        assert (await call(neuron.app, "POST", "/predict", halves)).status == 200
        assert (await call(neuron.app, "POST", "/predict", [*halves, b" "])).status == 413
        assert (await call(neuron.app, "POST", "/predict", [just_right + b" "])).status == 413


async def test_a_client_that_leaves_before_its_body_is_whole_is_counted_as_its_own_fault(
    neuron: Neuron,
) -> None:
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [], "query_string": b"", "state": {}}
    inbox: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return inbox.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await neuron.app(scope, receive, send)
    assert not sent
    assert counts(neuron) == (1, 0, 0)


@pytest.mark.parametrize("arrived", [[], [{"type": "http.request", "body": b"{", "more_body": True}]])
async def test_a_body_that_does_not_arrive_is_given_up(arrived: list[dict[str, Any]]) -> None:
    async with serving(serving={"timeoutSeconds": 0.05}) as neuron:
        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [], "query_string": b"", "state": {}}
        sent: list[Any] = []
        first = list(arrived)

        async def receive() -> dict[str, Any]:
            if not first:
                await asyncio.get_running_loop().create_future()
            return first.pop()

        async def send(message: Any) -> None:
            sent.append(message)

        await neuron.app(scope, receive, send)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_the_models_own_exception_is_a_500_that_leaks_nothing(neuron: Neuron) -> None:
    reply = await post(neuron.app, "/predict", {"features": [POISON, 1]}, {"x-request-id": "req-7"})
    assert reply.status == 500
    assert reply.json == {
        "error": {
            "field": "model",
            "message": "the model failed on this input; the server's log has the cause",
        },
        "request_id": "req-7",
    }
    assert counts(neuron) == (1, 0, 1)


async def test_a_full_queue_is_a_503_that_says_when_to_retry() -> None:
    gate = Gate(lambda inputs: Prediction(inputs[0].sum(axis=1)))
    async with serving(gate, batching={"maxQueue": 1}) as neuron:
        busy = asyncio.create_task(post(neuron.app, "/predict", {"features": [BLOCK, 0]}))
        await until(gate.entered.is_set)
        queued = asyncio.create_task(post(neuron.app, "/predict", {"features": [1, 0]}))
        await until(lambda: neuron.plane.queue_depth == 1)
        reply = await post(neuron.app, "/predict", {"features": [2, 0]})
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.json["error"]["field"] == "server"
        gate.opened.set()
        assert [(await task).status for task in (busy, queued)] == [200, 200]


async def test_a_deadline_is_a_504() -> None:
    gate = Gate(lambda inputs: Prediction(inputs[0].sum(axis=1)))
    async with serving(gate, serving={"timeoutSeconds": 0.05}) as neuron:
        reply = await post(neuron.app, "/predict", {"features": [BLOCK, 0]})
        gate.opened.set()
    assert reply.status == 504
    assert "within 0.05 s (serving.timeoutSeconds)" in reply.json["error"]["message"]


async def test_concurrent_requests_get_each_their_own_answer(neuron: Neuron) -> None:
    async def one(place: int) -> tuple[int, float]:
        reply = await post(neuron.app, "/predict", {"features": [place, 0.5]}, {"x-request-id": f"r{place}"})
        assert reply.headers["x-request-id"] == f"r{place}"
        return place, reply.json["prediction"]

    assert all(answer == place + 0.5 for place, answer in await asyncio.gather(*map(one, range(1000))))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.sampled_from(PATHS))
async def test_any_bytes_are_answered_without_a_fault_of_the_server(body: bytes, path: str) -> None:
    async with serving() as neuron:
        reply = await call(neuron.app, "POST", path, body)
    assert reply.status in {200, 400, 422}
    assert reply.status == 200 or set(reply.json) == {"error", "request_id"}


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=2)
)


@settings(deadline=None, max_examples=200)
@given(
    st.fixed_dictionaries(
        {},
        optional={"features": VALUES, "batch_features": VALUES, "model_version": SCALARS, "user_id": SCALARS},
    ),
    st.sampled_from(PATHS),
)
async def test_any_fields_are_answered_without_a_fault_of_the_server(content: dict[str, Any], path: str) -> None:
    async with serving() as neuron:
        reply = await post(neuron.app, path, content)
    assert reply.status in {200, 400, 404, 422}


@pytest.mark.parametrize(
    ("values", "confidence"),
    [
        (np.array([1, -2]), None),
        (np.array([1.5, 2.5e300]), np.array([0.25, 1.0])),
        (np.array([True, False]), None),
        (np.array(['a,"b"', "ü,\n"]), np.array([0.5, 0.5])),
        (np.array([[1, 2], [3, 4]]), None),
        (np.array([["a,b", "c"], ["d", "e"]]), None),
        (np.array([1, "one"], dtype=object), None),
    ],
)
async def test_a_batch_says_its_values_as_single_predictions_do(values: Any, confidence: Any) -> None:
    async with serving(lambda _inputs: Prediction(values, confidence)) as neuron:
        told = (await post(neuron.app, "/batch_predict", {"batch_features": [[1, 2], [3, 4]]})).json
    assert [row["prediction"] for row in told["predictions"]] == values.tolist()
    wanted = [None, None] if confidence is None else confidence.tolist()
    assert [row["confidence"] for row in told["predictions"]] == wanted
    assert [set(row) for row in told["predictions"]] == [
        {"prediction", "confidence", "model_version", "inference_time_ms"}
    ] * 2
    assert told["batch_size"] == 2
