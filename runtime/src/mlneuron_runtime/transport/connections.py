"""uvicorn's server and HTTP protocol, with the bounds that they lack: how long a head may be and how slowly it may
come, how long a connection may idle or leave its answers unread, how many there may be.

A request is an `Exchange`, of which uvicorn knows no more than that it is one of its own.

One look at all connections each half second replaces a timer for every request, which is the dearest thing that a small
request would do. A request begins when all has been read that had come with its head: a body that is whole then needs
no timer either.
"""

import contextlib
import http
import re
from asyncio import Transport
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mlneuron_runtime.errors import RequestError
from mlneuron_runtime.settings import Serving
from mlneuron_runtime.transport.exchange import Exchange, Taker
from mlneuron_runtime.transport.wire import (
    STATUS,
    Guide,
    HeaderTooLarge,
    MalformedBody,
    SlowBody,
    TooManyConnections,
)

KEEP_ALIVE_SECONDS = 75.0
"""Longer than the proxies in front keep an idle connection (nginx: 60), so that they never write to a closed
one.
"""

LINGER_SECONDS = 1.0

SHORT = 4096
"""Bytes, up to which it takes longer to find where a head ends than to look through what is behind it as well."""

TICKS_A_LOOK = 5
"""Of uvicorn's, a tenth of a second each."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """`head_bytes` of a request line with its headers; `seconds` for a request to arrive, and for an answer to leave;
    `refused` is told each request that ends here.
    """

    head_bytes: int
    connections: int
    seconds: float
    refused: Callable[[RequestError], None]


OFFER = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n|$)", re.IGNORECASE)


def without_offer(data: bytes) -> bytes:
    """A head without its offer to speak HTTP/2 from here on, as Java's client makes it with every first request: the
    parser would read no body behind it.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return OFFER.sub(b"", head) + end + rest


class Phase(Enum):
    """Of a connection."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    LEAVING = auto()


NOBODY: Mapping[str, Taker] = {}


class Listening(uvicorn.Config):
    """uvicorn's, for one of this process's ports. `takers` are asked before the app, by the paths that they know."""

    def __init__(self, app: ASGIApp, bounds: Bounds, takers: Mapping[str, Taker] = NOBODY) -> None:
        super().__init__(
            app, http=Connection, loop="none", ws="none", lifespan="off", log_config=None, access_log=False,
            server_header=False, proxy_headers=False, interface="asgi3",
        )  # fmt: skip
        self.bounds, self.takers = bounds, takers


class Server(uvicorn.Server):
    """uvicorn's without its signal handlers: two servers share this process, and draining is decided elsewhere."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_A_LOOK == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.look()
        return await super().on_tick(counter)


class Connection(HttpToolsProtocol):
    """One client's. `since` is when its phase began, in the loop's seconds, of a body when its head did; `next` a
    request that has not begun; `full`: if more of a body is to come, what came should be taken first.
    """

    bounds: Bounds
    takers: Mapping[str, Taker]
    next: Exchange | None
    phase: Phase
    since: float
    head: int
    unread_since: float | None
    refused: bool
    full: bool

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        assert isinstance(self.config, Listening)  # noqa: S101  # ours alone
        self.bounds, self.takers, self.next = self.config.bounds, self.config.takers, None
        self.enter(Phase.IDLE)
        self.unread_since, self.refused, self.full = None, False, False
        if len(self.connections) > self.bounds.connections:
            limit = self.bounds.connections
            self.refuse(TooManyConnections("connection", f"{limit} connections are open already; close some of yours"))

    def enter(self, phase: Phase) -> None:
        self.phase, self.since = phase, self.loop.time()

    def data_received(self, data: bytes) -> None:
        if self.refused:
            return
        if self.phase is Phase.IDLE:
            self.enter(Phase.HEAD)
            self.head = 0
        if self.phase is Phase.HEAD:
            self.head += len(data)
            if b"h2c" in (data if len(data) <= SHORT else data[: data.find(b"\r\n\r\n")]):
                data = without_offer(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # it is answered in HTTP/1.1
        except httptools.HttpParserError:
            self.refuse(MalformedBody("request", "this is not HTTP/1.1; send a well-formed request"))
        if self.next is not None:
            self.begin()
        if self.full:
            self.full = False
            if self.cycle.more_body and not self.cycle.response_complete:
                self.flow.pause_reading()
        if self.phase is Phase.HEAD and self.head > self.bounds.head_bytes and not self.refused:
            self.refuse(self.too_large())

    def on_message_begin(self) -> None:
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        """uvicorn's, with exchanges of our own."""
        if self.refused:
            return
        if self.head > self.bounds.head_bytes and self.head_size() > self.bounds.head_bytes:
            self.refuse(self.too_large())
            return
        self.phase = Phase.BODY
        parser = self.parser
        version = parser.get_http_version()
        keep_alive = version != "1.0" and parser.should_keep_alive()
        before = self.cycle
        self.cycle = Exchange(self, parser.get_method().decode("ascii"), version, keep_alive)
        if before is None or before.response_complete:
            self.next = self.cycle
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def head_size(self) -> int:
        """Of a head that came with its body, or with others."""
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        if not self.refused and not self.cycle.response_complete:
            self.full = self.cycle.take(body)  # type: ignore[attr-defined]  # an exchange of ours

    def on_message_complete(self) -> None:
        if self.refused:
            return
        cycle = self.cycle
        if cycle.response_complete:  # refused by its head alone, and now read to its end
            self.enter(Phase.IDLE)
            return
        self.phase = Phase.ANSWER
        cycle.more_body = False
        cycle.message_event.set()
        if self.next is not None:
            self.begin()

    def begin(self) -> None:
        """Begin with the request that has come."""
        exchange, self.next = self.next, None
        if exchange is not None and not self.refused:
            exchange.begin()

    def on_response_complete(self) -> None:
        """uvicorn's, but for the timer that it starts for every answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self.pipeline.pop()[0].begin()  # type: ignore[attr-defined]  # an exchange of ours
        elif self.phase is Phase.ANSWER:
            self.enter(Phase.IDLE)

    def too_large(self) -> RequestError:
        limit = self.bounds.head_bytes
        return HeaderTooLarge("headers", f"the request's line and headers are longer than {limit} bytes; send fewer")

    def refuse(self, error: RequestError) -> None:
        """Answer without the app, and leave: what still comes is read and dropped for a moment, since a close upon
        unread bytes resets the connection, and with it the answer.
        """
        self.refused = True
        self.bounds.refused(error)
        body = Guide.body(error)
        status = http.HTTPStatus(STATUS[type(error)])
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (status, status.phrase.encode(), len(body), body)
        )
        self.transport.write_eof()
        self.enter(Phase.LEAVING)

    def look(self) -> None:
        """End what has taken too long."""
        now, bounds = self.loop.time(), self.bounds
        if not self.transport.get_write_buffer_size():
            self.unread_since = None
        elif self.unread_since is None:
            self.unread_since = now
        elif now - self.unread_since > bounds.seconds:
            self.transport.abort()
            return
        waited = now - self.since
        if self.phase is Phase.IDLE and waited > KEEP_ALIVE_SECONDS:
            self.transport.close()
        elif self.phase is Phase.HEAD and waited > bounds.seconds:
            message = f"the request did not arrive within {bounds.seconds:g} s; send it faster"
            self.refuse(SlowBody("headers", message))
        elif self.phase is Phase.LEAVING and waited > LINGER_SECONDS:
            self.transport.close()
        elif self.phase is Phase.BODY and waited > 2 * bounds.seconds:
            self.transport.abort()  # the app has answered by now, and nobody reads the rest


def bounds_of(serving: Serving, refused: Callable[[RequestError], None]) -> Bounds:
    """As the configuration says."""
    return Bounds(serving.max_header_bytes, serving.max_connections, serving.timeout_seconds, refused)
