"""One process's life: listen, load, serve, drain, leave.

All ports listen before the model is loaded, so that /livez answers and /readyz says no. SIGTERM makes
/readyz say no at once, while requests are served on with `Connection: close`, since the cluster goes on
sending some until every node has heard; when none has come for QUIET_SECONDS, or `drainSeconds` run short,
the port closes, what is in flight is answered, and the process ends. A second signal ends it at once.
"""

import asyncio
import contextlib
import gc
import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
import uvloop

from mlneuron_runtime import loading, tallies
from mlneuron_runtime.app import direct, serving_app, telemetry_app
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.listening import bind
from mlneuron_runtime.loading import Served
from mlneuron_runtime.options import Options
from mlneuron_runtime.settings import Config
from mlneuron_runtime.signature import sample
from mlneuron_runtime.tallies import Tallies
from mlneuron_runtime.telemetry import Telemetry
from mlneuron_runtime.transport.around import Around
from mlneuron_runtime.transport.connections import Listening, Server, bounds_of
from mlneuron_runtime.workers.heart import watched
from mlneuron_runtime.workers.ports import Ports
from mlneuron_runtime.workers.seat import Seat

log = structlog.get_logger()

T = TypeVar("T")

QUIET_SECONDS = 3.0
"""Without a request for so long after SIGTERM, nobody sends here any more."""


def run(config: Config, options: Options, started_at: float, seat: Seat | None = None) -> None:
    """Serve until told to stop; raises Fatal. `started_at` is in Unix seconds, `seat` of one worker among several."""
    seat = alone(options) if seat is None else seat
    with seat, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config, options, seat, started_at))


def alone(options: Options) -> Seat:
    """The seat of a process that serves by itself."""
    serving, metrics = bind(options.host, options.port), bind(options.host, options.metrics_port)
    return Seat([Tallies()], 0, serving, metrics, shared=False)


async def _serve(config: Config, options: Options, seat: Seat, started_at: float) -> None:
    plane = DataPlane(config, Telemetry(seat.own, seat.slots if seat.shared else ()))
    stop = Stop.on_signals()
    bounds = bounds_of(config.serving, plane.telemetry.refused)
    around = Around.of(plane)
    serving = Server(Listening(serving_app(plane, around), bounds, direct(plane, around)))
    metrics = Server(Listening(telemetry_app(plane, started_at), bounds))
    plane.alone = lambda: len(serving.server_state.tasks) == 1
    ports = Ports(seat, plane, around, options, serving, metrics)
    running = await ports.start()
    asked = asyncio.create_task(stop.asked.wait())
    load = in_thread(lambda: loading.load(config.model, options.image, options.threads))
    waited: list[asyncio.Future[Any]] = [asked, load, *running]
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    left = 0.0
    if load.done():
        take_up(plane, load.result())
        async with watched(plane, seat, serving):
            await ports.open()
            announce(load.result(), options, seat, started_at)
            await asyncio.wait([asked, *running], return_when=asyncio.FIRST_COMPLETED)
            left = await drain(plane, stop.quiet_seconds, [serving, metrics])
    await ports.close(left)
    await asyncio.gather(*running)
    if plane.traffic is not None:
        await plane.traffic.close()
    plane.close()
    log.info("stopped", requests=int(seat.own.cells[tallies.REQUESTS]))


def take_up(plane: DataPlane, served: Served) -> None:
    """From here on requests are answered. What is loaded lives as long as the process, so the collector need not
    look at it again: that takes its longest pauses away.
    """
    gc.collect()
    gc.freeze()
    plane.serve(served)


def announce(served: Served, options: Options, seat: Seat, started_at: float) -> None:
    """Say that requests may come, and to a person how."""
    port = seat.serving.getsockname()[1]
    log.info(
        "ready",
        port=port,
        model=served.name,
        version=served.version,
        startup_seconds=round(time.time() - started_at, 3),
    )
    if options.greet and seat.place == 0:
        print(greeting(served, f"http://{options.host}:{port}"), flush=True)


def greeting(served: Served, url: str) -> str:
    """What to try first."""
    body = json.dumps({"features": sample(served.model.signature)})
    return (
        f"{served.name} {served.version} ({served.model.type}) is served at {url}. Try:\n"
        f"  curl -s {url}/predict -H 'Content-Type: application/json' -d '{body}'"
    )


async def drain(plane: DataPlane, quiet_seconds: float, servers: list[Server]) -> float:
    """Serve on until it is quiet, keeping back enough of `drainSeconds` for what is then still in flight: so many
    seconds.
    """
    plane.draining = True
    plane.note_present()
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
