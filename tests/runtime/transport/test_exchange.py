"""How answers leave a connection, by small apps on a real server."""

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.runtime.doors import opened
from tests.runtime.support import until

PLAIN = (b"content-type", b"text/plain")


def saying(*messages: Message) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(dict(message))

    return app


def start(*headers: tuple[bytes, bytes], status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": [PLAIN, *headers]}


def body(content: bytes, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


LENGTH = (b"content-length", b"2")
ASKED = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


async def told(app: ASGIApp, asked: bytes) -> bytes:
    """Everything that is answered until the server closes."""
    async with opened(app) as door:
        return await door.say(asked)


async def test_whole_answers_keep_the_connection_and_the_last_one_says_that_it_closes() -> None:
    answers = await told(saying(start(LENGTH), body(b"ok")), ASKED + LAST)
    first, second = answers.split(b"ok")[:2]
    for head in (first, second):
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\ncontent-length: 2\r\n" in head
        assert b"\r\ndate: " in head
    assert (b"connection: close" in first, b"connection: close" in second) == (False, True)


async def test_an_answer_in_parts_is_told_in_chunks_and_the_next_one_follows() -> None:
    answers = await told(saying(start(), body(b"o", more=True), body(b"k")), ASKED + LAST)
    assert answers.count(b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n") == 2


async def test_a_head_alone_has_no_body() -> None:
    answer = await told(saying(start(LENGTH), body(b"ok")), LAST.replace(b"GET", b"HEAD"))
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("value", [b"a\r\nx-made-up: b", b"a\nx-made-up: b", b"a\rb"])
async def test_a_line_break_in_a_header_is_no_other_header(value: bytes) -> None:
    answer = await told(saying(start(LENGTH, (b"x-told", value)), body(b"ok")), ASKED)
    assert answer == b""


async def test_a_body_of_another_length_than_was_said_closes_the_connection() -> None:
    assert not (await told(saying(start(LENGTH), body(b"much more")), ASKED)).endswith(b"much more")


async def test_an_app_that_fails_before_its_body_is_a_500() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start(LENGTH))
        raise ValueError

    assert (await told(app, ASKED)).startswith(b"HTTP/1.1 500 ")


async def test_a_request_that_ended_is_no_task_of_the_server_any_more() -> None:
    async with opened(saying(start(LENGTH), body(b"ok"))) as door:
        reader, writer = await door.open()
        writer.write(ASKED)
        await reader.readuntil(b"ok")
        await until(lambda: not door.server.server_state.tasks)
        writer.close()
