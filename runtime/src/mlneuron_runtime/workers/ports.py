"""The ports of one process: opened, and closed, as its seat says.

A process that serves alone listens on all of them before the model is loaded, so that /livez answers and /readyz says
no. A worker takes requests only once its model is warm, and tells of the neuron only then or while no other could.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.options import Options
from mlneuron_runtime.transport.around import Around
from mlneuron_runtime.transport.connections import Server
from mlneuron_runtime.workers.acceptor import Acceptor
from mlneuron_runtime.workers.seat import Seat

if TYPE_CHECKING:
    from mlneuron_runtime.transport.grpc.server import GrpcServer

log = structlog.get_logger()


@dataclass(slots=True)
class Ports:
    """Of one process."""

    seat: Seat
    plane: DataPlane
    around: Around
    options: Options
    serving: Server
    metrics: Server
    _acceptors: list[Acceptor] = field(default_factory=list)
    _grpc: "GrpcServer | None" = None

    async def start(self) -> list[asyncio.Task[None]]:
        """The HTTP servers' lives, until `close`. Raises Fatal."""
        if self.seat.shared:
            if self.plane.config.serving.grpc:
                import mlneuron_runtime.transport.grpc.server  # noqa: F401  # takes its time now rather than in `open`
            self._accept(self.seat.metrics, self.metrics, self._leaves_telling)
            return [asyncio.create_task(server.serve(sockets=[])) for server in (self.serving, self.metrics)]
        await self._start_grpc()
        sockets = self.seat.serving, self.seat.metrics
        ports = [listener.getsockname()[1] for listener in sockets]
        grpc_port = None if self._grpc is None else self._grpc.port
        log.info("listening", port=ports[0], metrics_port=ports[1], grpc_port=grpc_port)
        servers = zip((self.serving, self.metrics), sockets, strict=True)
        return [asyncio.create_task(server.serve(sockets=[listener])) for server, listener in servers]

    async def open(self) -> None:
        """The model is ready."""
        if self.seat.shared:
            self._accept(self.seat.serving, self.serving, self._leaves_request)
            await self._start_grpc()

    async def close(self, seconds: float) -> None:
        """Accept no more; what is in flight has so long to be answered."""
        for acceptor in self._acceptors:
            acceptor.close()
        self.serving.should_exit = self.metrics.should_exit = True
        if self._grpc is not None:
            await self._grpc.stop(seconds)

    async def _start_grpc(self) -> None:
        if not self.plane.config.serving.grpc:
            return
        from mlneuron_runtime.transport.grpc import server

        host, port = self.options.host, self.options.grpc_port
        self._grpc = await server.start(self.plane, self.around, host, port, shared=self.seat.shared)

    def _accept(self, listener: socket.socket, server: Server, yields: Callable[[int], bool]) -> None:
        acceptor = Acceptor(listener, protocol_of(server), yields)
        acceptor.start()
        self._acceptors.append(acceptor)

    def _leaves_request(self, waits: int) -> bool:
        return self.seat.leaves_connection(len(self.serving.server_state.connections), waits)

    def _leaves_telling(self, _waits: int) -> bool:
        return not self.plane.loaded and bool(self.seat.others_ready())


def protocol_of(server: Server) -> Callable[[], asyncio.Protocol]:
    """What the server makes for each connection."""
    config = server.config
    if not config.loaded:
        config.load()
    made: Callable[..., asyncio.Protocol] = config.http_protocol_class
    return lambda: made(config=config, server_state=server.server_state, app_state={})
