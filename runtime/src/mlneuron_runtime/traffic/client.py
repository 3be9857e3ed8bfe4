"""HTTP/1.1 to the variants' Services: kept-alive connections, a request at a time on each.

A client of its own, since forwarding is the front door's whole cost beside its own work: see docs/benchmarks.md for
what a general one takes. Only what a variant's runtime speaks is spoken: no TLS, no redirects, no compression.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import httptools

OLDEST_SECONDS = 60.0
"""A connection stays with one pod: those that are newer get requests once this one is closed."""

CONNECT_SECONDS = 1.0
"""A node that died answers nothing at all; one in the same cluster answers in milliseconds."""

MOST_IDLE = 64

LARGEST_ANSWER = 256 * 1024 * 1024

Header = tuple[bytes, bytes]


class Unreachable(ConnectionError):
    """No connection, or it broke before the answer was whole."""


class Response:
    """A whole answer; header names in lower case."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: list[Header], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def header(self, wanted: bytes) -> bytes | None:
        return next((value for name, value in self.headers if name == wanted), None)


class Client:
    """Of one variant's Service."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._authority = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode()
        self._idle: deque[Connection] = deque()
        self._closed = False

    async def post(self, path: bytes, headers: Iterable[Header], body: bytes) -> Response:
        """The answer; raises Unreachable. Cancelled, it closes its connection: the answer would be the next one's."""
        lines = b"".join([b"%b: %b\r\n" % header for header in headers])
        request = b"POST %b HTTP/1.1\r\nhost: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (
            path, self._authority, len(body), lines, body,
        )  # fmt: skip
        connection = self._kept()
        if connection is not None:
            try:
                return await self._asked(connection, request)
            except Unreachable:
                if connection.heard:
                    raise  # else it was closed while it idled, and the request was not looked at
        return await self._asked(await self._connected(), request)

    async def _asked(self, connection: "Connection", request: bytes) -> Response:
        try:
            response = await connection.ask(request)
        except BaseException:
            connection.close()
            raise
        if connection.reusable and not self._closed and len(self._idle) < MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        return response

    def _kept(self) -> "Connection | None":
        """The one that was used last, if it is still good."""
        while self._idle:
            connection = self._idle.pop()
            if connection.fresh:
                return connection
            connection.close()
        return None

    async def _connected(self) -> "Connection":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(lambda: Connection(loop.time), self._host, self._port)
        except TimeoutError as error:
            raise Unreachable(f"{self._host}:{self._port}: no connection within {CONNECT_SECONDS:g} s") from error
        except OSError as error:
            raise Unreachable(f"{self._host}:{self._port}: {error}") from error
        return connection

    def close(self) -> None:
        """Idle connections now, the others after their answers."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()


class Connection(asyncio.Protocol):
    """One, and the answer that it waits for. `heard`: some of the answer has come."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._born = clock, clock()
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Response] | None = None
        self._parser: Any = None
        self._headers: list[Header] = []
        self._body: list[bytes] = []
        self._size = 0
        self.heard = False
        self.reusable = False

    @property
    def fresh(self) -> bool:
        transport = self._transport
        return transport is not None and not transport.is_closing() and self._clock() - self._born < OLDEST_SECONDS

    def ask(self, request: bytes) -> "asyncio.Future[Response]":
        assert self._transport is not None  # noqa: S101  # it is connected
        self._waiting = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._headers, self._body, self._size = [], [], 0
        self.heard = self.reusable = False
        self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of a stream
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._fail("the connection was closed")

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:
            self.close()  # nobody asked
            return
        self.heard = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"no HTTP: {error}")
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > LARGEST_ANSWER:
            self._fail("the answer is too large")
            self.close()
            return
        self._body.append(body)

    def on_message_complete(self) -> None:
        self.reusable = self._parser.should_keep_alive()
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(Response(self._parser.get_status_code(), self._headers, b"".join(self._body)))

    def _fail(self, reason: str) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(Unreachable(reason))
