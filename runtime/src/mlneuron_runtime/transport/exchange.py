"""A request and its answer on a connection: uvicorn's, but that an answer which is whole leaves in one piece, and that
who can answer without an ASGI app is asked first.

What is out of the ordinary (a stream, HEAD, a connection that is to close, a client that reads slowly) is left to
uvicorn. Its own way checks and joins each header by itself, which takes longer than predicting a row.
"""

import asyncio
from collections.abc import Awaitable, Generator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

import httptools
from starlette.types import Message
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from mlneuron_runtime.transport.wire import BODY, CLOSE, USUAL, Headers, Whole

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


class Unawaited:
    """Acts as an event that nobody waits for."""

    def set(self) -> None:
        pass


NOTHING_AWAITED = Unawaited()


class Taker(Protocol):
    """Who answers without an ASGI app."""

    def takes(self, exchange: "Exchange", body: bytes) -> bool:
        """Whether it does: then `answer` is called, but not before this has returned."""
        ...


@lru_cache(maxsize=128)
def parts(url: bytes) -> tuple[str, bytes, bytes]:
    """Path, path as it was sent, and query: clients ask for few."""
    parsed = httptools.parse_url(url)
    return unquote(parsed.path.decode("ascii")), parsed.path, parsed.query or b""


class Exchange(RequestResponseCycle):
    """`start` is the answer's head while its body has not come; what an ASGI app needs is made when one is asked.
    `usual` is set by a taker that has tried to read the body quickly.
    """

    access_log = False
    disconnected = False
    more_body = True
    response_started = False
    response_complete = False
    chunked_encoding = None
    expected_content_length = 0
    start: Message | None = None
    usual = False
    body: bytes | bytearray = b""  # type: ignore[assignment]  # one chunk is kept as it came
    message_event: Any = NOTHING_AWAITED

    def __init__(self, connection: "Connection", method: str, version: str, keep_alive: bool) -> None:
        self.connection, self.method, self.version, self.keep_alive = connection, method, version, keep_alive
        self.path, self.raw_path, self.query = parts(connection.url)
        self.headers: Headers = connection.headers
        self.transport, self.flow = connection.transport, connection.flow
        self.waiting_for_100_continue = connection.expect_100_continue

    def take(self, chunk: bytes) -> bool:
        """More of the body. Whether it is as much as should wait here."""
        if not self.body:
            self.body = chunk
        elif isinstance(self.body, bytes):
            self.body = bytearray(self.body) + chunk
        else:
            self.body += chunk
        self.message_event.set()
        return len(self.body) > HIGH_WATER_LIMIT

    def begin(self) -> None:
        """Have it answered."""
        whole = None if self.more_body or self.waiting_for_100_continue else bytes(self.body)
        if whole is not None and self.method == "POST" and not self.flow.write_paused:
            taker = self.connection.takers.get(self.path)
            if taker is not None and taker.takes(self, whole):
                return
        self.ask_app({} if whole is None else {BODY: whole, USUAL: self.usual})

    def ask_app(self, state: dict[str, Any]) -> None:
        """Have it answered by the app, in a task."""
        connection = self.connection
        self.scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": self.version,
            "server": connection.server, "client": connection.client, "scheme": "http", "root_path": "",
            "state": state, "method": self.method, "path": self.path, "raw_path": self.raw_path,
            "query_string": self.query, "headers": self.headers,
        }  # fmt: skip
        self.logger, self.default_headers = connection.logger, connection.server_state.default_headers
        self.on_response = connection.on_response_complete
        self.message_event = asyncio.Event()
        if self.body or not self.more_body or self.disconnected:
            self.message_event.set()
        self.task = connection.loop.create_task(self.run_asgi(connection.app))
        connection.tasks.add(self.task)

    def answer(self, status: int, whole: Whole, request_id: bytes, last: bool) -> None:
        """What its taker has to say, to a client that is still there; `last`: the connection closes then."""
        self.response_started = self.response_complete = True
        if not (self.disconnected or self.connection.refused or self.transport.is_closing()):
            last = last or not self.keep_alive
            headers = [*self.connection.server_state.default_headers, *whole.headers, *(CLOSE if last else ())]
            self.transport.write(
                b"%b%bcontent-type: %b\r\ncontent-length: %d\r\nx-request-id: %b\r\n\r\n%b"
                % (
                    STATUS_LINE[status], b"".join([b"%b: %b\r\n" % header for header in headers]),
                    whole.type, len(whole.body), request_id, whole.body,
                )
            )  # fmt: skip
            if last:
                self.transport.close()
        self.connection.on_response_complete()

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
