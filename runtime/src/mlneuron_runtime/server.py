"""One process's life: listen, load, serve, drain, leave.

All ports listen before the model is loaded, so that /livez answers and /readyz says no. SIGTERM makes
/readyz say no at once, while requests are served on with `Connection: close`, since the cluster goes on
sending some until every node has heard; when none has come for QUIET_SECONDS, or `drainSeconds` run short,
the port closes, what is in flight is answered, and the process ends. A second signal ends it at once.
"""

import asyncio
import contextlib
import gc
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
import uvloop

from mlneuron_runtime import loading, tallies
from mlneuron_runtime.app import serving_app, telemetry_app
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.loading import Served
from mlneuron_runtime.options import Options
from mlneuron_runtime.settings import Config
from mlneuron_runtime.transport.around import Around
from mlneuron_runtime.transport.connections import Listening, Server, bounds_of

if TYPE_CHECKING:
    from mlneuron_runtime.transport.grpc.server import GrpcServer

log = structlog.get_logger()

T = TypeVar("T")

QUIET_SECONDS = 3.0
"""Without a request for so long after SIGTERM, nobody sends here any more."""


def run(config: Config, options: Options, started_at: float) -> None:
    """Serve until told to stop; raises Fatal. `started_at` is in Unix seconds."""
    sockets = bind(options.host, options.port), bind(options.host, options.metrics_port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config, options, sockets, started_at))


async def _serve(
    config: Config, options: Options, sockets: tuple[socket.socket, socket.socket], started_at: float
) -> None:
    plane = DataPlane(config)
    stop = Stop.on_signals()
    bounds = bounds_of(config.serving, plane.telemetry.refused)
    around = Around.of(plane)
    servers = [Server(Listening(app, bounds)) for app in (serving_app(plane, around), telemetry_app(plane, started_at))]
    plane.alone = lambda: len(servers[0].server_state.tasks) == 1
    grpc = await start_grpc(plane, around, options) if config.serving.grpc else None
    ports = [listener.getsockname()[1] for listener in sockets]
    log.info("listening", port=ports[0], metrics_port=ports[1], grpc_port=None if grpc is None else grpc.port)
    running = [
        asyncio.create_task(server.serve(sockets=[listener])) for server, listener in zip(servers, sockets, strict=True)
    ]
    asked = asyncio.create_task(stop.asked.wait())
    load = in_thread(lambda: loading.load(config.model, options.image, options.threads))
    waited: list[asyncio.Future[Any]] = [asked, load, *running]
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    left = 0.0
    if load.done():
        open_for_requests(plane, load.result(), options, sockets[0], started_at)
        await asyncio.wait([asked, *running], return_when=asyncio.FIRST_COMPLETED)
        left = await drain(plane, stop.quiet_seconds, servers)
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*running, *([] if grpc is None else [grpc.stop(left)]))
    plane.close()
    log.info("stopped", requests=plane.counted().count(tallies.REQUESTS))


async def start_grpc(plane: DataPlane, around: Around, options: Options) -> "GrpcServer":
    """The third port."""
    from mlneuron_runtime.transport.grpc import server

    return await server.start(plane, around, options.host, options.grpc_port, shared=plane.config.serving.workers > 1)


def open_for_requests(
    plane: DataPlane, served: Served, options: Options, listener: socket.socket, started_at: float
) -> None:
    """From here on /readyz says yes. What is loaded lives as long as the process, so the collector need not
    look at it again: that takes its longest pauses away.
    """
    gc.collect()
    gc.freeze()
    plane.serve(served)
    port = listener.getsockname()[1]
    log.info(
        "ready",
        port=port,
        model=served.name,
        version=served.version,
        startup_seconds=round(time.time() - started_at, 3),
    )
    if options.greet:
        print(greeting(served, f"http://{options.host}:{port}"), flush=True)


def greeting(served: Served, url: str) -> str:
    """What to try first."""
    row = ", ".join(["0"] * (served.model.signature.features or 1))
    return (
        f"{served.name} {served.version} ({served.model.type}) is served at {url}. Try:\n"
        f"  curl -s {url}/predict -H 'Content-Type: application/json' -d '{{\"features\": [{row}]}}'"
    )


async def drain(plane: DataPlane, quiet_seconds: float, servers: list[Server]) -> float:
    """Serve on until it is quiet, keeping back enough of `drainSeconds` for what is then still in flight: so many
    seconds.
    """
    plane.draining = True
    serving = plane.config.serving
    started = plane.clock()
    accept = max(serving.drain_seconds - serving.timeout_seconds, serving.drain_seconds / 2)
    log.info("draining", in_flight=plane.in_flight, queue_depth=plane.queue_depth)
    while plane.clock() - started < accept:
        if not plane.in_flight and plane.clock() - max(plane.last_seen, started) >= quiet_seconds:
            break
        await asyncio.sleep(0.02)
    left = max(1, math.ceil(serving.drain_seconds - (plane.clock() - started)))
    for server in servers:
        server.config.timeout_graceful_shutdown = left
    return left


@dataclass(slots=True)
class Stop:
    """That the process was asked to stop, and how long it must then be quiet: Ctrl-C has no cluster to wait
    for.
    """

    asked: asyncio.Event
    quiet_seconds: float = QUIET_SECONDS

    @classmethod
    def on_signals(cls) -> "Stop":
        stop = cls(asyncio.Event())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.ask, number)
        return stop

    def ask(self, number: signal.Signals) -> None:
        if self.asked.is_set():
            sys.stdout.flush()
            os._exit(128 + number)  # the worker may hang in the model, so no orderly way out is safe
        if number == signal.SIGINT:
            self.quiet_seconds = 0.0
        self.asked.set()


def bind(host: str, port: int) -> socket.socket:
    """A bound socket, or Fatal; port 0 takes any."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Fatal(
            Reason.CONFIG_INVALID,
            f"port {port} on {host} cannot be used ({error.strerror}); free it or choose another",
        ) from error
    return listener


def in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Run in a thread that the process need not wait for: a load cannot be interrupted, a stop must not wait
    for it.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # no error: the result is work's

    def body() -> None:
        outcome: tuple[T | None, BaseException | None]
        try:
            outcome = work(), None
        except BaseException as error:  # whatever ends the load has to end the process, not only this thread
            outcome = None, error
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is leaving
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=body, name="load", daemon=True).start()
    return future
