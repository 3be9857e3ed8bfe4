"""A real server on loopback around an app in this process."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mlneuron_runtime.errors import RequestError
from mlneuron_runtime.transport.connections import Bounds, Connection, Listening, Server
from mlneuron_runtime.transport.exchange import Taker
from starlette.types import ASGIApp

from tests.runtime.support import until


@dataclass
class Door:
    """A listening server, and what it refused."""

    port: int
    server: Server
    refused: list[RequestError] = field(default_factory=list)

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, *chunks: bytes) -> bytes:
        """Everything that the server answers until it closes."""
        reader, writer = await self.open()
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0)
        try:
            return await asyncio.wait_for(reader.read(), 30)
        finally:
            writer.close()

    @property
    def connections(self) -> list[Connection]:
        return [held for held in self.server.server_state.connections if isinstance(held, Connection)]


@asynccontextmanager
async def opened(
    app: ASGIApp,
    head_bytes: int = 1024,
    connections: int = 100,
    seconds: float = 30.0,
    takers: Mapping[str, Taker] | None = None,
) -> AsyncIterator[Door]:
    """Until the context ends; `takers` are asked before the app."""
    listener = socket.create_server(("127.0.0.1", 0))
    refused: list[RequestError] = []
    bounds = Bounds(head_bytes, connections, seconds, refused.append)
    made = Door(listener.getsockname()[1], Server(Listening(app, bounds, takers or {})), refused)
    running = asyncio.create_task(made.server.serve(sockets=[listener]))
    await until(lambda: made.server.started)
    try:
        yield made
    finally:
        made.server.should_exit = made.server.force_exit = True
        await running
