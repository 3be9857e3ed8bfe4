"""What shows from outside that a process works: its event loop beats, and tells since when the model is busy.

Where no supervisor watches, the process watches itself: a thread says in the log what hangs and where. A hanging call
of the model leaves the event loop free, and /livez tells it; when the loop itself hangs, the process ends, since it
could not even refuse. Should a call of C code keep the interpreter, not even a thread has its turn; then faulthandler's
timer writes the stacks and ends the process.
"""

import asyncio
import contextlib
import faulthandler
import os
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable

import structlog

from mlneuron_runtime import tallies
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.tallies import Tallies
from mlneuron_runtime.transport.connections import Server
from mlneuron_runtime.workers.seat import Seat
from mlneuron_runtime.workers.watch import LOOK_SECONDS, Watch

log = structlog.get_logger()

EXIT_CODE = 70
"""EX_SOFTWARE: nothing in the manifest is at fault, a restart is the mend."""

BEATS_A_TIMER = 4


@contextlib.asynccontextmanager
async def watched(plane: DataPlane, seat: Seat, server: Server) -> AsyncIterator[None]:
    """Within, the process shows that it works, and is watched by its supervisor or by itself."""
    show(plane, seat.own, 0)
    hearts = [asyncio.create_task(beat(plane, seat.own, lambda: len(server.server_state.connections)))]
    if not seat.shared:
        hearts.append(asyncio.create_task(watch_itself(seat.own, plane.config.serving.longest_call_seconds)))
    try:
        yield
    finally:
        for heart in hearts:
            heart.cancel()


async def beat(plane: DataPlane, own: Tallies, connections: Callable[[], int]) -> None:
    """Until cancelled. Also keeps what other processes read of this one up to date."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        show(plane, own, connections())


def show(plane: DataPlane, own: Tallies, connections: int) -> None:
    """One beat. Only after the first is the process counted as ready, and watched."""
    own.cells[tallies.CONNECTIONS] = connections
    own.cells[tallies.CALL] = plane.call_since
    own.cells[tallies.PULSE] = time.monotonic()
    plane.note_present()


async def watch_itself(own: Tallies, limit: float) -> None:
    """Until cancelled; the thread and the timer outlive a loop that hangs."""
    ending = threading.Event()
    threading.Thread(target=watch, args=(own, Watch(limit), ending), name="watch", daemon=True).start()
    try:
        while True:
            with contextlib.suppress(ValueError, OSError):  # standard error may be closed, or no file
                faulthandler.dump_traceback_later(limit + 2 * BEATS_A_TIMER * LOOK_SECONDS, exit=True)
            await asyncio.sleep(BEATS_A_TIMER * LOOK_SECONDS)
    finally:
        faulthandler.cancel_dump_traceback_later()
        ending.set()


def watch(own: Tallies, watched: Watch, ending: threading.Event) -> None:
    """The thread's life."""
    told = False
    while not ending.wait(LOOK_SECONDS):
        hung = watched.look(own, time.monotonic())
        if hung is not None and not told:
            log.error("the process hangs", what=hung, stacks=stacks())
        told = hung is not None
        if watched.loop_hangs:
            log.error("giving up", reason="Hang", message=f"{hung}; the process has to be started anew")
            sys.stdout.flush()
            os._exit(EXIT_CODE)


def stacks() -> dict[str, str]:
    """Where each thread is, by its name; values are not shown."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sys._current_frames().items()
    return {names.get(ident, str(ident)): "".join(traceback.format_stack(frame)) for ident, frame in frames}
