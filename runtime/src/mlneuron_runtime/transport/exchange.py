"""A request and its answer on a connection: uvicorn's, but that an answer which is whole leaves in one piece.

What is out of the ordinary (a stream, HEAD, a connection that is to close, a client that reads slowly) is left to
uvicorn. Its own way checks and joins each header by itself, which takes longer than predicting a row.
"""

import asyncio
from collections.abc import Awaitable, Generator
from typing import TYPE_CHECKING, Any

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    from mlneuron_runtime.transport.connections import Connection

UNUSUAL = frozenset({b"connection", b"transfer-encoding"})
"""Headers that say how an answer is sent."""


class Sent:
    """What there is to await of something that was done at once."""

    def __await__(self) -> Generator[None]:
        return
        yield


SENT = Sent()


class Exchange(RequestResponseCycle):
    """`start` is the answer's head while its body has not come."""

    access_log = False
    disconnected = False
    more_body = True
    response_started = False
    response_complete = False
    chunked_encoding = None
    expected_content_length = 0
    start: Message | None = None

    def __init__(self, connection: "Connection", keep_alive: bool) -> None:
        self.scope = connection.scope
        self.transport, self.flow, self.logger = connection.transport, connection.flow, connection.logger
        self.default_headers = connection.server_state.default_headers
        self.on_response = connection.on_response_complete
        self.message_event = asyncio.Event()
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = connection.expect_100_continue
        self.body = bytearray()
        self.connection = connection

    def begin(self) -> None:
        """Let the app answer."""
        connection = self.connection
        self.task = connection.loop.create_task(self.run_asgi(connection.app))
        connection.tasks.add(self.task)

    async def run_asgi(self, app: Any) -> None:
        """Leaves the server's tasks by itself: a callback for it would be another turn of the loop."""
        try:
            await super().run_asgi(app)
        finally:
            self.connection.tasks.discard(self.task)

    def send(self, message: Message) -> Awaitable[None]:  # type: ignore[override]  # as ASGI has it
        if message["type"] == "http.response.start" and not self.response_started:
            self.start = message
            return SENT
        start, self.start = self.start, None
        if start is None:
            return super().send(message)  # type: ignore[arg-type]  # the same by another name
        if not message.get("more_body", False) and self.sends_whole(start, message.get("body", b"")):
            return SENT
        return self.sends_both(start, message)

    async def sends_both(self, start: Message, message: Message) -> None:
        """In uvicorn's way."""
        await super().send(start)  # type: ignore[arg-type]
        await super().send(message)  # type: ignore[arg-type]

    def sends_whole(self, start: Message, body: bytes) -> bool:
        """Write head and body as one, unless something is out of the ordinary."""
        if self.disconnected or self.flow.write_paused or not self.keep_alive or self.scope["method"] == "HEAD":
            return False
        length = None
        lines = [STATUS_LINE[start["status"]]]
        for header in (*self.default_headers, *start["headers"]):
            if header[0] == b"content-length":
                length = header[1]
            elif header[0] in UNUSUAL:
                return False
            lines.append(b"%b: %b\r\n" % header)
        head = b"".join(lines)
        if length is None or int(length) != len(body) or not head.count(b"\r") == head.count(b"\n") == len(lines):
            return False
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(b"%b\r\n%b" % (head, body))
        self.message_event.set()
        self.on_response()
        return True
