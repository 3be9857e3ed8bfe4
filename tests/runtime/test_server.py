"""The real server as a process of its own: it serves, refuses, drains and leaves as promised."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import joblib
import numpy as np
import pytest
from sklearn.datasets import load_iris

from tests.runtime.asking import (
    open_gate,
    predict,
    stats,
    status,
    until_busy,
    until_in_flight,
    until_refused,
    until_stats,
)
from tests.runtime.odd_models import BLOCK, POISON
from tests.runtime.support import ANY_PORTS, DEADLINE, Process, config_for, runtime, serving, until_asked

IRIS = load_iris()


@pytest.fixture(scope="module")
def server(iris: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serving(tmp_path_factory.mktemp("server"), config_for(iris)) as process:
        yield process


async def test_iris_is_predicted_with_its_confidence(server: Process, http: aiohttp.ClientSession) -> None:
    code, body, headers = await predict(http, server, 5.1, 3.5, 1.4, 0.2)
    assert code == 200
    assert body["prediction"] == "setosa"
    assert 0.9 < body["confidence"] <= 1
    assert body["model_version"] == "1.0.0"
    assert "server" not in headers


async def test_every_input_gets_its_own_answer_under_load(
    server: Process, http: aiohttp.ClientSession, iris: Path
) -> None:
    rows = np.random.default_rng(1).uniform(0, 8, size=(500, 4)).round(3)
    model = joblib.load(iris)
    expected, confidence = model.predict(rows), model.predict_proba(rows).max(axis=1)
    answers = await asyncio.gather(*(predict(http, server, *map(float, row)) for row in rows))
    assert [body["prediction"] for _, body, _ in answers] == expected.tolist()
    assert [body["confidence"] for _, body, _ in answers] == pytest.approx(confidence.tolist())
    async with http.get(f"{server.metrics_url}/metrics") as reply:
        metrics = await reply.text()
    calls = float(metrics.partition("\nmlneuron_batch_rows_count ")[2].partition("\n")[0])
    assert calls < 500, "requests that came together were answered together"


async def test_a_batch_is_predicted_over_the_wire(server: Process, http: aiohttp.ClientSession) -> None:
    body = {"batch_features": [*IRIS.data.tolist(), ["bad"]]}
    async with http.post(f"{server.url}/batch_predict", json=body) as reply:
        told = await reply.json()
    assert told["batch_size"] == 151
    assert told["predictions"][150]["row"] == 150
    assert {row["prediction"] for row in told["predictions"][:150]} == set(IRIS.target_names)


async def test_both_ports_tell_of_the_neuron(server: Process, http: aiohttp.ClientSession) -> None:
    for path in ("/livez", "/readyz", "/health", "/models"):
        assert await status(http, server.url + path) == 200
    assert await status(http, f"{server.metrics_url}/metrics") == 200
    told = await stats(http, server)
    assert told["ready"] is True
    assert told["model"]["framework"] == "sklearn"


async def test_an_oversized_body_is_refused_while_it_streams(server: Process, http: aiohttp.ClientSession) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b" " * 65536

    json_type = {"content-type": "application/json"}
    async with http.post(f"{server.url}/predict", data=endless(), headers=json_type) as reply:
        assert reply.status == 413
        assert "serving.maxBodyBytes" in (await reply.json())["error"]["message"]
    assert (await predict(http, server, 5.1, 3.5, 1.4, 0.2))[0] == 200


async def test_what_is_not_http_does_no_harm(server: Process, http: aiohttp.ClientSession) -> None:
    for garbage in (
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(garbage)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), DEADLINE)
        writer.close()
    assert (await predict(http, server, 5.1, 3.5, 1.4, 0.2))[0] == 200


async def test_overload_and_deadline_and_drain_on_one_server(
    gated: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    config = config_for(gated, batching={"maxQueue": 2}, serving={"timeoutSeconds": 20.0, "drainSeconds": 40.0})
    with serving(tmp_path, config) as process:
        busy = asyncio.create_task(predict(http, process, BLOCK, 0))
        await until_in_flight(http, process, 1)
        waiting = []
        for place in range(2):
            waiting.append(asyncio.create_task(predict(http, process, place, 0.5)))
            await until_stats(http, process, queueDepth=place + 1)
        code, body, headers = await predict(http, process, 9, 9)
        assert (code, headers["Retry-After"], body["error"]["field"]) == (503, "1", "server")

        process.process.send_signal(signal.SIGTERM)
        await until_refused(http, f"{process.url}/readyz")
        assert await status(http, f"{process.url}/livez") == 200
        open_gate(gated)
        answers = await asyncio.gather(busy, *waiting)
        assert [code for code, _, _ in answers] == [200, 200, 200]
        assert [body["prediction"] for _, body, _ in answers] == [BLOCK, 0.5, 1.5]
        assert all(headers["Connection"] == "close" for _, _, headers in answers)
        assert process.finish() == 0
        assert process.events[-1]["event"] == "stopped"


async def test_a_deadline_frees_the_caller_and_not_the_queue_behind(
    gated: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    with serving(tmp_path, config_for(gated, serving={"timeoutSeconds": 0.3})) as process:
        code, body, _ = await predict(http, process, BLOCK, 0)
        assert code == 504
        assert "serving.timeoutSeconds" in body["error"]["message"]
        open_gate(gated)

        async def answers_again() -> bool:
            return (await predict(http, process, 1, 2))[0] == 200

        await until_asked(answers_again)
        told = await stats(http, process)
        assert told["failures"] >= 1


async def test_the_models_exception_is_logged_with_its_trace_and_request_and_not_answered(
    gated: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    with serving(tmp_path, config_for(gated)) as process:
        async with http.post(
            f"{process.url}/predict", json={"features": [POISON, 77.25]}, headers={"X-Request-Id": "req-9"}
        ) as reply:
            assert reply.status == 500
            assert "patient" not in await reply.text()
        process.process.send_signal(signal.SIGINT)
        assert process.finish() == 0
    (raised,) = [event for event in process.events if event["event"] == "model raised"]
    assert raised["request_id"] == "req-9"
    assert "odd_models.py" in raised["exception"]
    assert "77.25" not in json.dumps(process.events), "features are not logged"


async def test_no_request_is_lost_when_a_busy_server_is_told_to_stop(
    iris: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    """Each client sends on until it is told to close, as a kept-alive client behind a Service does."""
    codes: list[int] = []

    async def client(process: Process) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as kept_alive:
            while True:
                code, _, headers = await predict(kept_alive, process, 5.1, 3.5, 1.4, 0.2)
                codes.append(code)
                if headers.get("Connection") == "close":
                    return

    with serving(tmp_path, config_for(iris)) as process:
        clients = [asyncio.create_task(client(process)) for _ in range(16)]
        await until_busy(http, process, requests=200)
        process.process.send_signal(signal.SIGTERM)
        await asyncio.gather(*clients)
        assert process.finish() == 0
    assert len(codes) >= 200
    assert set(codes) == {200}
    assert process.events[-1]["requests"] == len(codes)


async def test_a_second_signal_ends_the_process_at_once(
    gated: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    with serving(tmp_path, config_for(gated)) as process:
        hanging = asyncio.create_task(predict(http, process, BLOCK, 0))
        await until_in_flight(http, process, 1)
        process.process.send_signal(signal.SIGTERM)
        process.wait_for("draining")
        process.process.send_signal(signal.SIGTERM)
        assert process.finish() == 128 + signal.SIGTERM
        with pytest.raises(aiohttp.ClientError):
            await hanging


async def test_a_model_that_hangs_does_not_hold_the_drain_beyond_its_bound(
    gated: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    config = config_for(gated, serving={"timeoutSeconds": 60.0, "drainSeconds": 1.0})
    with serving(tmp_path, config) as process:
        hanging = asyncio.create_task(predict(http, process, BLOCK, 0))
        await until_in_flight(http, process, 1)
        process.process.send_signal(signal.SIGTERM)
        assert process.finish() == 0
        with pytest.raises(aiohttp.ClientError):
            await hanging


def test_a_stop_while_loading_does_not_wait_for_the_load(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.joblib")  # reading it blocks until somebody writes
    with runtime(tmp_path, "serve", str(tmp_path / "model.joblib"), *ANY_PORTS) as process:
        process.wait_for("listening")
        process.process.send_signal(signal.SIGTERM)
        assert process.finish() == 0


def test_a_model_file_is_served_by_hand_with_a_line_to_try(iris: Path, tmp_path: Path) -> None:
    with runtime(tmp_path, "serve", str(iris), *ANY_PORTS) as process:
        assert process.process.stdout is not None
        greeting = next(line for line in process.process.stdout if not line.startswith("{"))
        assert greeting.startswith("iris ")
        assert "(sklearn_logistic_regression) is served at http://127.0.0.1:" in greeting
        command = next(process.process.stdout)
        assert "/predict -H 'Content-Type: application/json' -d '{\"features\": [0, 0, 0, 0]}'" in command
        process.process.send_signal(signal.SIGINT)
        assert process.finish() == 0


def test_a_port_that_is_taken_is_told(iris: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with runtime(tmp_path, "serve", str(iris), *ANY_PORTS, "--port", port) as process:
            assert process.finish() == 78
        assert process.last_words["reason"] == "ConfigInvalid"
        assert f"port {port} on 127.0.0.1 cannot be used" in process.last_words["message"]
