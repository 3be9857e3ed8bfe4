"""The gRPC port of one process."""

from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.settings import Serving
from mlneuron_runtime.transport.around import Around
from mlneuron_runtime.transport.grpc.service import Service

KEEP_ALIVE_MS = 60_000
"""How often a silent client is asked whether it is still there."""

SHORTEST_PING_MS = 10_000
"""How often clients may ask the same: gRPC's own five minutes would close on clients that ask each half minute."""


@dataclass(frozen=True, slots=True)
class GrpcServer:
    """Running from its making on."""

    port: int
    _server: Any

    async def stop(self, seconds: float) -> None:
        """Take no more, and send clients elsewhere; what is in flight has so long to be answered."""
        await self._server.stop(seconds)


async def start(plane: DataPlane, around: Around, host: str, port: int, shared: bool = False) -> GrpcServer:
    """Listen (port 0: any), or Fatal. `shared`: other processes of this server listen on the same port."""
    serving = plane.config.serving
    server = grpc.aio.server(options=options_of(serving, shared), maximum_concurrent_rpcs=serving.max_connections)
    server.add_generic_rpc_handlers((Service(plane, around),))
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError as error:
        raise Fatal(
            Reason.CONFIG_INVALID,
            f"port {port} on {host} cannot be used for gRPC; free it, choose another (--grpc-port), or set "
            "serving.grpc: false",
        ) from error
    await server.start()
    return GrpcServer(bound, server)


def options_of(serving: Serving, shared: bool) -> list[tuple[str, int]]:
    """As the configuration says. An answer may be as large as it gets: its rows are bounded."""
    return [
        ("grpc.so_reuseport", int(shared)),
        ("grpc.max_receive_message_length", serving.max_body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", serving.max_header_bytes),
        ("grpc.keepalive_time_ms", KEEP_ALIVE_MS),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", SHORTEST_PING_MS),
    ]
