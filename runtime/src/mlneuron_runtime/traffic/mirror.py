"""Copies of requests for variants that are tried in the shadow: nobody waits for them, and nothing comes of them but
numbers.

The queue is bounded in copies and in bytes; what does not fit is dropped, and counted.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from mlneuron_runtime.traffic.counters import Counters
from mlneuron_runtime.traffic.remote import Fallen

log = structlog.get_logger()

LONGEST_QUEUE = 256
MOST_BYTES = 16 * 1024 * 1024
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Copy:
    """A request that the primary answered. `ask` sends it to the variant, and says whether that agrees, and how long
    it took; `seconds` is what the primary took, `size` what the copy holds in memory, in bytes.
    """

    ask: Callable[[], Awaitable[tuple[bool, float]]]
    seconds: float
    size: int
    counters: Counters


class Mirror:
    """Of one process."""

    def __init__(self) -> None:
        self._queue: deque[Copy] = deque()
        self._bytes = 0
        self._running: set[asyncio.Task[None]] = set()

    def offer(self, copy: Copy) -> None:
        """Take a copy, or drop it."""
        if len(self._queue) >= LONGEST_QUEUE or self._bytes + copy.size > MOST_BYTES:
            copy.counters.add("dropped")
            return
        self._queue.append(copy)
        self._bytes += copy.size
        if len(self._running) < AT_ONCE:
            task = asyncio.get_running_loop().create_task(self._work())
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _work(self) -> None:
        while self._queue:
            copy = self._queue.popleft()
            self._bytes -= copy.size
            try:
                agrees, seconds = await copy.ask()
            except Fallen:
                copy.counters.add("error")
            except Exception:  # whatever it is, the caller has long been answered
                copy.counters.add("error")
                log.exception("a mirrored request failed here")
            else:
                copy.counters.compared("agree" if agrees else "disagree", seconds, copy.seconds)

    def close(self) -> None:
        for task in self._running:
            task.cancel()
