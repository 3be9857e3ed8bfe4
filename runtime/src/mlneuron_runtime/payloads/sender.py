"""Sends payloads from a thread of its own, over one kept-alive connection, from a bounded queue.

Whoever serves only puts an exchange into the queue, or counts that it was full. A sink that does not answer is tried
again later and later, and told of once a minute; serving never waits for it.
"""

import atexit
import random
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from queue import SimpleQueue
from urllib.parse import urlsplit

import structlog

from mlneuron_runtime import settings, tallies
from mlneuron_runtime.failure import public
from mlneuron_runtime.payloads.event import Event, Exchange, events
from mlneuron_runtime.tallies import Tallies

log = structlog.get_logger()

MAX_QUEUE = 1024
MAX_QUEUED_BYTES = 32 * 1024 * 1024

SINK_SECONDS = 5.0
"""How long the sink may take for one event."""

ATTEMPTS = 3
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 30.0
"""Before the next attempt after a failure, doubled by each that follows."""

SILENCE_SECONDS = 60.0
"""Between two log lines on the sink's failures."""

FLUSH_SECONDS = 2.0
"""How long a process that leaves waits for what is queued."""


class Refused(Exception):
    """The sink answered that it will not take this event."""


class Unwell(Exception):
    """The sink answered that it cannot take events now."""


class PayloadLog:
    """`draw` gives numbers from 0 to 1 to sample by."""

    def __init__(
        self, config: settings.PayloadLog, neuron: settings.Identity, counts: Tallies,
        draw: Callable[[], float] = random.random, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._config, self._neuron, self._counts, self._draw, self._clock = config, neuron, counts, draw, clock
        self._queue: SimpleQueue[Exchange | None] = SimpleQueue()
        self._bytes_in = self._bytes_out = 0  # of the queue; each is written by one thread only
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._sink = Sink(config.url)
        self._failures = 0
        self._told: float | None = None

    def takes(self) -> bool:
        """Whether the next exchange is wanted and there is room for it."""
        if self._draw() >= self._config.sample:
            return False
        if self._queue.qsize() >= MAX_QUEUE or self._bytes_in - self._bytes_out >= MAX_QUEUED_BYTES:
            self._counts.cells[tallies.PAYLOADS_CROWDED_OUT] += 1
            return False
        return True

    def offer(self, exchange: Exchange) -> None:
        """Send it when there is time. Called by one thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="payloads", daemon=True)
            self._thread.start()
            atexit.register(self.close)
        self._bytes_in += exchange.size
        self._queue.put(exchange)

    def close(self) -> None:
        """Send what is queued, unless the sink is unwell or slow."""
        atexit.unregister(self.close)
        self._closing.set()
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(FLUSH_SECONDS)

    def _work(self) -> None:
        while (exchange := self._queue.get()) is not None:
            self._bytes_out += exchange.size
            try:
                for event in events(exchange, self._neuron, self._config):
                    self._deliver(event)
            except Exception as error:  # the thread must survive whatever a body holds
                self._counts.cells[tallies.PAYLOADS_UNSENT] += 1
                self._complain(error)
        self._sink.close()

    def _deliver(self, event: Event) -> None:
        """Try a few times, ever later; count what came of it."""
        for _attempt in range(ATTEMPTS):
            try:
                self._sink.post(event)
            except Refused as error:
                self._complain(error)
                break
            except (OSError, HTTPException, Unwell) as error:
                self._complain(error)
                pause = min(FIRST_PAUSE_SECONDS * 2.0**self._failures, LONGEST_PAUSE_SECONDS)
                self._failures += self._failures < LONGEST_PAUSE_SECONDS
                if self._closing.wait(pause):
                    break
            else:
                self._failures = 0
                self._counts.cells[tallies.PAYLOADS_SENT] += 1
                return
        self._counts.cells[tallies.PAYLOADS_UNSENT] += 1

    def _complain(self, error: Exception) -> None:
        now = self._clock()
        if self._told is not None and now - self._told < SILENCE_SECONDS:
            return
        self._told = now
        log.warning(
            "payloads do not reach serving.payloadLog.url; see mlneuron_payload_log_dropped_total",
            url=public(self._config.url), error=f"{type(error).__name__}: {error}",
        )  # fmt: skip


class Sink:
    """The place that events are POSTed to."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=SINK_SECONDS)

    def post(self, event: Event) -> None:
        """Raises Refused, Unwell, OSError or HTTPException."""
        reused = self._connection.sock is not None
        try:
            status = self._once(event)
        except (OSError, HTTPException):
            self._connection.close()
            if not reused:
                raise
            status = self._once(event)  # the sink had closed the idle connection
        if status == 429 or status >= 500:
            raise Unwell(f"it answered {status}")
        if status >= 300:
            raise Refused(f"it answered {status}")

    def _once(self, event: Event) -> int:
        headers, data = event
        try:
            self._connection.request("POST", self._path, data, headers)
            response = self._connection.getresponse()
            response.read()
        except BaseException:
            self._connection.close()
            raise
        return response.status

    def close(self) -> None:
        self._connection.close()
