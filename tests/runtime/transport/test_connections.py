"""What a connection may do, against a real server on loopback."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from mlneuron_runtime.models.base import Prediction

from tests.runtime.conftest import serving
from tests.runtime.doors import Door, opened
from tests.runtime.support import until

BODY = json.dumps({"features": [1, 2]}).encode()
HEAD = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % len(BODY)
REQUEST = HEAD + b"\r\n" + BODY


@asynccontextmanager
async def door(head_bytes: int = 1024, connections: int = 100, seconds: float = 30.0) -> AsyncIterator[Door]:
    def wide(inputs: Any) -> Prediction:
        return Prediction(np.repeat(inputs[0].sum(axis=1, keepdims=True), 300, axis=1))

    async with (
        serving(wide, serving={"timeoutSeconds": seconds}) as neuron,
        opened(neuron.app, head_bytes, connections, seconds, neuron.takers) as made,
    ):
        yield made


async def answered(reader: asyncio.StreamReader) -> None:
    """Read one good answer."""
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    await reader.readuntil(b"inference_time_ms")
    await reader.readuntil(b"}")


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def told(answer: bytes) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    return error


async def test_requests_one_after_another_and_at_once_are_answered_in_order() -> None:
    async with door() as made:
        reader, writer = await made.open()
        for _ in range(2):
            writer.write(REQUEST)
            await answered(reader)
        writer.write(REQUEST * 3)
        for _ in range(3):
            await answered(reader)
        writer.close()


@pytest.mark.parametrize("pieces", [1, 7])
async def test_a_head_that_is_too_long_is_a_431_in_one_piece_or_many(pieces: int) -> None:
    long = b"x-long: " + b"a" * 2000 + b"\r\n"
    sent = HEAD + long + b"\r\n" + BODY
    size = len(sent) // pieces + 1
    async with door() as made:
        answer = await made.say(*(sent[start : start + size] for start in range(0, len(sent), size)))
    assert (status(answer), told(answer)["field"]) == (431, "headers")
    assert [error.reason for error in made.refused] == ["HeaderTooLarge"]


async def test_a_head_without_an_end_is_not_kept() -> None:
    async with door() as made:
        answer = await made.say(b"POST /predict HTTP/1.1\r\n", *[b"x: " + b"a" * 200 + b"\r\n"] * 9)
    assert status(answer) == 431


async def test_a_long_body_does_not_count_as_head() -> None:
    body = b" " * 5000 + BODY
    async with door() as made:
        head = HEAD.replace(b"%d" % len(BODY), b"%d" % len(body)) + b"connection: close\r\n\r\n"
        assert status(await made.say(head + body)) == 200


async def test_an_offer_to_speak_http_2_is_declined_by_answering() -> None:
    offer = b"connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nhttp2-settings: AAMAAABkAAQ\r\n"
    async with door() as made:
        reader, writer = await made.open()
        for _ in range(2):
            writer.write(HEAD + offer + b"\r\n" + BODY)
            await answered(reader)
        writer.close()


async def test_what_is_no_http_is_told_so() -> None:
    async with door() as made:
        answer = await made.say(b"hello, who is there?\r\n\r\n")
    assert (status(answer), told(answer)["field"]) == (400, "request")
    assert [error.reason for error in made.refused] == ["MalformedBody"]


async def test_a_client_that_is_too_slow_with_its_head_is_a_408() -> None:
    async with door(seconds=0.2) as made:
        answer = await made.say(b"POST /predict HTTP/1.1\r\nhost")
    assert (status(answer), told(answer)["field"]) == (408, "headers")


async def test_a_client_that_is_too_slow_with_its_body_is_a_408() -> None:
    async with door(seconds=0.2) as made:
        answer = await made.say(HEAD + b"\r\n" + BODY[:-3])
    assert (status(answer), told(answer)["field"]) == (408, "body")


async def test_one_connection_too_many_is_a_503_and_leaves_the_others_alone() -> None:
    async with door(connections=2) as made:
        first, second = await made.open(), await made.open()
        await until(lambda: len(made.connections) == 2)
        answer = await made.say()
        assert (status(answer), told(answer)["field"]) == (503, "connection")
        for reader, writer in (first, second):
            writer.write(REQUEST)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()
        await until(lambda: not made.connections)
        assert status(await made.say(REQUEST.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))) == 200


async def test_a_client_that_reads_nothing_is_cut_off() -> None:
    rows = json.dumps({"batch_features": [[1, 2]] * 9000}).encode()
    request = (
        HEAD.replace(b"/predict", b"/batch_predict").replace(b"%d" % len(BODY), b"%d" % len(rows)) + b"\r\n" + rows
    )
    async with door(seconds=5) as made:
        with socket.create_connection(("127.0.0.1", made.port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await asyncio.get_running_loop().run_in_executor(None, client.sendall, request)
            await until(lambda: any(held.transport.get_write_buffer_size() for held in made.connections))
            await until(lambda: not made.connections)


async def test_a_connection_that_idles_is_closed_and_an_answering_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    async with door() as made:
        reader, writer = await made.open()
        await until(lambda: len(made.connections) == 1)
        (held,) = made.connections
        held.look()
        assert not held.transport.is_closing()
        monkeypatch.setattr(held, "since", held.since - 76)
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()
