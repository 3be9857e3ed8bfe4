"""Predictions answered on their connection: as by the endpoints, and left to these where something is wrong."""

import json
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlneuron_runtime import tallies
from mlneuron_runtime.errors import Overloaded
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.tensors import TensorSpec
from starlette.types import Receive, Scope, Send

from tests.runtime.conftest import Neuron, serving
from tests.runtime.doors import Door, opened
from tests.runtime.odd_models import POISON, Summing
from tests.runtime.support import until
from tests.runtime.traffic.neurons import write_table

JSON = "content-type: application/json"


@dataclass
class Pair:
    """One neuron behind two doors: one where takers are asked first, and one where there are none. `asked` are the
    paths that the app of the first was asked for.
    """

    neuron: Neuron
    direct: Door
    plain: Door
    asked: list[str]


@asynccontextmanager
async def pair(**changes: Any) -> AsyncIterator[Pair]:
    def summing(inputs: Any) -> Prediction:
        return Prediction(Summing().predict(inputs[0]))

    outputs = (TensorSpec("prediction", "FP64"),)
    async with serving(**{"answer": summing, "inline_rows": 64, "outputs": outputs, **changes}) as neuron:
        asked: list[str] = []

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            asked.append(scope["path"])
            await neuron.app(scope, receive, send)

        async with (
            opened(noting, 16_384, takers=neuron.takers) as direct,
            opened(neuron.app, 16_384) as plain,
        ):
            yield Pair(neuron, direct, plain, asked)


def gated() -> tuple[threading.Event, Callable[[Any], Prediction]]:
    """A model that stops until the event is set."""
    gate = threading.Event()

    def slow(inputs: Any) -> Prediction:
        assert gate.wait(30)
        return Prediction(inputs[0].sum(axis=1))

    return gate, slow


def post(path: str, body: Any, *headers: str, last: bool = True) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "host: x", f"content-length: {len(content)}", *(headers or (JSON,))]
    return "\r\n".join([*lines, *(["connection: close"] if last else []), "", ""]).encode() + content


def comparable(answer: bytes) -> tuple[bytes, set[bytes], bytes]:
    """Status, headers and body without what is of the moment."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    body = re.sub(rb'"(inference_time_ms|request_id)":("[^"]*"|\d+)', rb"", body)
    moment = (b"date:", b"x-request-id:", b"content-length:")
    return status, {line for line in lines if not line.startswith(moment)}, body


TENSOR = {"name": "x", "datatype": "FP64", "shape": [2, 2], "data": [1, 2, 3, 4]}
BINARY = json.dumps({
    "inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 2], "parameters": {"binary_data_size": 16}}],
    "parameters": {"binary_data_output": True},
}).encode()  # fmt: skip
MANY = [[row, 0.5] for row in range(2500)]
"""Rows whose bodies are larger than those of which any are answered directly."""

MANY_IN_BYTES = json.dumps({
    "inputs": [{"name": "x", "datatype": "FP64", "shape": [2500, 2], "parameters": {"binary_data_size": 40_000}}],
}).encode()  # fmt: skip
GOOD = {
    "guide": post("/predict", {"features": [1, 2]}),
    "guide with more": post("/predict", {"features": [1, 2], "model_version": "1.0.0", "user_id": "u", "x": [1]}),
    "guide, an id of the caller's": post("/predict", {"features": [1, 2]}, JSON, "x-request-id: mine"),
    "batch": post("/batch_predict", {"batch_features": [[1, 2], [3, 4]]}),
    "batch with bad rows": post("/batch_predict", {"batch_features": [[1, 2], [3], "x", [POISON, 1]]}),
    "v1": post("/v1/models/churn:predict", {"instances": [[1, 2], [3, 4]]}),
    "v1 by columns": post("/v1/models/churn:predict", {"inputs": [[1, 2]]}),
    "v2": post("/v2/models/churn/infer", {"id": "7", "inputs": [TENSOR], "outputs": [{"name": "prediction"}]}),
    "v2, bytes": post(
        "/v2/models/churn/infer", BINARY + b"\0" * 16, "content-type: application/octet-stream",
        f"inference-header-content-length: {len(BINARY)}",
    ),
    "a large batch": post("/batch_predict", {"batch_features": MANY, "model_version": "latest"}),
    "v1, many rows": post("/v1/models/churn:predict", {"instances": MANY}),
    "v2, many rows": post("/v2/models/churn/infer", {"inputs": [{**TENSOR, "shape": [2500, 2], "data": MANY}]}),
    "v2, bytes of many rows": post(
        "/v2/models/churn/infer", MANY_IN_BYTES + np.array(MANY).tobytes(), "content-type: application/octet-stream",
        f"inference-header-content-length: {len(MANY_IN_BYTES)}",
    ),
}  # fmt: skip
BAD = {
    "no json": post("/predict", b"{"),
    "not an object": post("/predict", [1, 2]),
    "another type": post("/predict", {"features": [1, 2]}, "content-type: text/plain"),
    "too few": post("/predict", {"features": [1]}),
    "a string": post("/predict", {"features": [1, "x"]}),
    "another version": post("/predict", {"features": [1, 2], "model_version": "7"}),
    "only bad rows": post("/batch_predict", {"batch_features": [[1], [3]]}),
    "v1 without rows": post("/v1/models/churn:predict", {}),
    "v2 of another shape": post("/v2/models/churn/infer", {"inputs": [{**TENSOR, "shape": [3, 2]}]}),
    "v2, an output that is none": post("/v2/models/churn/infer", {"inputs": [TENSOR], "outputs": [{"name": "y"}]}),
    "a large batch with a bad row": post("/batch_predict", {"batch_features": [*MANY[:1500], [1, "x"]]}),
    "v1, many rows and a bad one": post("/v1/models/churn:predict", {"instances": [*MANY[:1500], [1]]}),
    "v2, too few data": post(
        "/v2/models/churn/infer", {"inputs": [{**TENSOR, "shape": [1501, 2], "data": MANY[:1500]}]}
    ),
    "too large": post("/predict", b" " * 20_000 + b"{}"),
}
FAILING = {
    "guide": post("/predict", {"features": [POISON, 1]}),
    "v1": post("/v1/models/churn:predict", {"instances": [[1, 2], [POISON, 1]]}),
    "v2": post("/v2/models/churn/infer", {"inputs": [{**TENSOR, "data": [1, 2, POISON, 4]}]}),
}


async def counts(made: Pair, door: Door, request: bytes) -> tuple[bytes, list[float]]:
    """The answer, and what it added to the counters, but for times."""
    cells = made.neuron.plane.telemetry.tallies.cells
    before = cells.tolist()
    answer = await door.say(request)
    await until(lambda: not made.neuron.plane.in_flight)
    kept = tallies.CELLS["model_seconds"]
    grown = [after - was for was, after in zip(before, cells.tolist(), strict=True)]
    return answer, [round(grown[cell]) for cell in range(kept) if cell != tallies.TOTAL_SECONDS]


@pytest.mark.parametrize("name", GOOD)
async def test_a_good_request_is_answered_and_counted_as_by_its_endpoint(name: str) -> None:
    async with pair() as made:
        direct, plain = await counts(made, made.direct, GOOD[name]), await counts(made, made.plain, GOOD[name])
        assert comparable(direct[0]) == comparable(plain[0])
        assert direct[0].startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nx-request-id: " in direct[0]
        assert direct[1] == plain[1]
        assert made.asked == []


@pytest.mark.parametrize("name", [*BAD, *(f"failing {name}" for name in FAILING)])
async def test_a_bad_request_is_told_and_counted_as_by_its_endpoint(name: str) -> None:
    request = FAILING[name.removeprefix("failing ")] if name.startswith("failing ") else BAD[name]
    async with pair(serving={"maxBodyBytes": 19_000}) as made:
        direct, plain = await counts(made, made.direct, request), await counts(made, made.plain, request)
        assert comparable(direct[0]) == comparable(plain[0])
        assert direct[1] == plain[1]


async def test_an_answer_that_takes_long_to_word_is_the_endpoints() -> None:
    async with pair(outputs=()) as made:
        answer = await made.direct.say(post("/v1/models/churn:predict", {"instances": [[1, row] for row in range(20)]}))
        assert b"200 OK" in answer
        assert made.asked == ["/v1/models/churn:predict"]  # it is not known how wide its outputs are
    async with pair() as made:
        answer = await made.direct.say(post("/batch_predict", {"batch_features": [[1, row] for row in range(5000)]}))
        assert b'"batch_size":5000' in answer
        assert made.asked == ["/batch_predict"]


async def test_rows_in_one_turn_go_together_and_only_the_failing_ones_fail() -> None:
    good, bad = (post("/predict", {"features": [value, 1]}, last=False) for value in (1, POISON))
    async with pair() as made:
        opened_here = [await made.direct.open() for _ in range(6)]
        for place, (_, writer) in enumerate(opened_here):
            writer.write(bad if place == 3 else good)
        statuses = [(await reader.readline()).split()[1] for reader, _ in opened_here]
        assert statuses == [b"200", b"200", b"200", b"500", b"200", b"200"]
        for _, writer in opened_here:
            writer.close()


async def test_requests_of_one_connection_are_answered_in_their_order() -> None:
    requests = [post("/predict", {"features": [value, 0]}, last=value == 4) for value in range(5)]
    async with pair() as made:
        answer = await made.direct.say(b"".join(requests))
        assert re.findall(rb'"prediction":(\d)', answer) == [b"0", b"1", b"2", b"3", b"4"]
        assert made.asked == []


async def test_a_body_in_pieces_and_one_that_is_asked_for_go_to_the_endpoint() -> None:
    request = post("/predict", {"features": [1, 2]})
    async with pair() as made:
        reader, writer = await made.direct.open()
        writer.write(request[:-5])
        await writer.drain()
        await until(lambda: made.asked == ["/predict"])
        writer.write(request[-5:])
        assert b'"prediction":3.0' in await reader.read()
        writer.close()
        head, _, body = request.partition(b"\r\n\r\n")
        reader, writer = await made.direct.open()
        writer.write(head + b"\r\nexpect: 100-continue\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 100")
        writer.write(body)
        assert b'"prediction":3.0' in await reader.read()
        writer.close()


async def test_another_method_and_another_path_go_to_the_app() -> None:
    request = post("/predict", {"features": [1, 2]})
    async with pair() as made:
        assert (await made.direct.say(request.replace(b"POST", b"PUT"))).startswith(b"HTTP/1.1 405")
        assert (await made.direct.say(request.replace(b"/predict", b"/predictions"))).startswith(b"HTTP/1.1 404")
        assert (await made.direct.say(request.replace(b"/predict", b"/%70redict?x=1"))).startswith(b"HTTP/1.1 200")
        assert made.asked == ["/predict", "/predictions"]


async def test_a_client_that_closes_gets_its_answer_and_an_old_one_is_closed_upon() -> None:
    async with pair() as made:
        answer = await made.direct.say(post("/predict", {"features": [1, 2]}, last=False).replace(b"1.1", b"1.0", 1))
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in answer


async def test_who_waits_longer_than_allowed_is_told_so_once() -> None:
    gate, slow = gated()
    async with pair(answer=slow, inline_rows=0, serving={"timeoutSeconds": 0.2}) as made:
        reader, writer = await made.direct.open()
        writer.write(post("/predict", {"features": [1, 2]}, last=False))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 504")
        told = await reader.readuntil(b"}")
        assert b"serving.timeoutSeconds" in told
        gate.set()
        await until(lambda: not made.neuron.plane.batcher.busy_since)
        writer.write(post("/predict", {"features": [3, 4]}))
        rest = await reader.read()
        assert rest.count(b"HTTP/1.1 200") == 1
        assert b'"prediction":7.0' in rest
        writer.close()
        assert made.neuron.plane.counted().count(tallies.REASON["DeadlineExceeded"]) == 1


async def test_a_full_queue_is_told_by_the_endpoint_and_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pair(batching={"maxQueue": 1}) as made:

        def full(*_given: Any) -> None:
            raise Overloaded("server", "the queue is full")

        monkeypatch.setattr(type(made.neuron.plane.batcher), "put", full)
        answer = await made.direct.say(post("/predict", {"features": [1, 2]}))
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1" in answer
        counted = made.neuron.plane.counted()
        assert (counted.count(tallies.REQUESTS), counted.count(tallies.REASON["Overloaded"])) == (1, 1)


async def test_a_client_that_left_is_answered_by_nobody_and_counted_all_the_same() -> None:
    gate, slow = gated()
    async with pair(answer=slow, inline_rows=0) as made:
        _, writer = await made.direct.open()
        writer.write(post("/predict", {"features": [1, 2]}, last=False))
        await until(lambda: made.neuron.plane.in_flight == 1)
        writer.transport.abort()
        await until(lambda: not made.direct.connections)
        gate.set()
        await until(lambda: not made.neuron.plane.in_flight)
        assert made.neuron.plane.counted().count(tallies.SUCCESS) == 1


async def test_a_client_that_goes_on_with_nonsense_costs_others_in_its_batch_nothing() -> None:
    good = post("/predict", {"features": [1, 2]}, last=False)
    async with pair() as made:
        ill, well = await made.direct.open(), await made.direct.open()
        ill[1].write(good + b"no http at all\r\n\r\n")
        well[1].write(good)
        assert (await well[0].readline()).startswith(b"HTTP/1.1 200")
        assert (await ill[0].read()).startswith(b"HTTP/1.1 400")
        for _, writer in (ill, well):
            writer.close()


async def test_a_server_that_leaves_answers_by_its_endpoint_that_closes() -> None:
    async with pair() as made:
        made.neuron.plane.draining = True
        answer = await made.direct.say(post("/predict", {"features": [1, 2]}, last=False))
        assert b"connection: close" in answer
        assert made.asked == ["/predict"]


async def test_a_server_that_begins_to_leave_meanwhile_closes_too() -> None:
    gate, slow = gated()
    async with pair(answer=slow, inline_rows=0) as made:
        reader, writer = await made.direct.open()
        writer.write(post("/predict", {"features": [1, 2]}, last=False))
        await until(lambda: made.neuron.plane.in_flight == 1)
        made.neuron.plane.draining = True
        gate.set()
        answer = await reader.read()
        assert b"connection: close" in answer
        assert b'"prediction":3.0' in answer
        assert made.asked == []
        writer.close()


async def test_where_variants_compete_or_more_goes_on_around_nobody_answers_directly(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("one")
    async with serving(serving={"tokenFile": str(tmp_path / "tokens")}) as neuron:
        assert neuron.takers == {}
    entry = {
        "name": "candidate", "mode": "Split", "percent": 0, "url": "http://127.0.0.1:9", "version": "2",
        "grpc": "127.0.0.1:9",
    }  # fmt: skip
    async with pair(serving={"trafficFile": str(tmp_path / "traffic.json")}) as made:
        request = post("/predict", {"features": [1, 2]})
        assert b'"prediction":3.0' in await made.direct.say(request)
        assert made.asked == []
        write_table(tmp_path / "traffic.json", "1", entry)
        await until(lambda: made.neuron.plane.traffic is not None and not made.neuron.plane.traffic.idle)
        assert b"x-neuron-variant" in await made.direct.say(request)
        assert made.asked == ["/predict"]
        assert made.neuron.plane.traffic is not None
        await made.neuron.plane.traffic.close()
