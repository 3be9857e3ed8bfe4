"""The bounded queue before the model, and the one thread that the model runs in.

Requests that arrive while the model is busy form the next batch: the worker takes what waits, up to
`max_size` rows, so batches grow with the load and a lone request waits for nobody (unless `max_delay_seconds`
says so). One thread, since most models are not safe to call from two, and a second would only contend for the
same cores.

A batch that raises is halved until the rows at fault stand alone, so a poisoned request fails itself only.
"""

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import numpy as np

from mlneuron_runtime.errors import Overloaded
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.settings import Batching
from mlneuron_runtime.signature import FloatArray


@dataclass(frozen=True, slots=True)
class Failure:
    """Rows the model raised on."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Piece:
    """What became of `size` neighbouring rows of a job."""

    size: int
    outcome: Prediction | Failure


@dataclass(slots=True, eq=False)
class Job:
    """One request's rows in the queue. `deadline` is in the clock's seconds; `answer` is set on the event
    loop.
    """

    rows: FloatArray
    deadline: float
    answer: asyncio.Future[list[Piece]]


@dataclass(slots=True)
class Observed:
    """What the worker tells of each model call: rows, seconds, and whether it raised."""

    rows: int
    seconds: float
    failed: bool = False


@dataclass(slots=True)
class Batcher:
    """Queue and worker. Built on the event loop that its answers are awaited on."""

    predict: Callable[[FloatArray], Prediction]
    limits: Batching
    observe: Callable[[Observed], None] = lambda _call: None
    clock: Callable[[], float] = time.monotonic
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _inbox: SimpleQueue[Job | None] = field(default_factory=SimpleQueue)
    _held: Job | None = None
    _busy_since: float | None = None
    _thread: threading.Thread | None = None
    _closed: bool = False

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more; the worker ends after what waits."""
        self._closed = True
        self._inbox.put(None)

    @property
    def depth(self) -> int:
        """Requests that wait, apart from those the model is busy with."""
        return self._inbox.qsize() + (self._held is not None)

    def busy_seconds(self) -> float:
        """How long the present batch has been at the model; 0 when idle."""
        since = self._busy_since
        return 0.0 if since is None else self.clock() - since

    @property
    def alive(self) -> bool:
        """Whether the worker runs."""
        return self._thread is not None and self._thread.is_alive()

    async def submit(self, rows: FloatArray, timeout: float) -> list[Piece]:  # noqa: ASYNC109  # the worker needs it too
        """What the model makes of the rows, in order. Raises Overloaded at once, or TimeoutError after
        `timeout`.
        """
        if self._closed or self.depth >= self.limits.max_queue:
            raise Overloaded("server", f"the queue holds {self.depth} requests already; send it again later")
        job = Job(rows, self.clock() + timeout, self.loop.create_future())
        self._inbox.put(job)
        async with asyncio.timeout(timeout):
            return await job.answer

    def _work(self) -> None:
        """The worker's life: take, run, hand back."""
        while batch := self._take():
            self._busy_since = self.clock()
            answers = self._answer(batch)
            self._busy_since = None
            try:
                self.loop.call_soon_threadsafe(settle, batch, answers)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

    def _take(self) -> list[Job]:
        """The next batch: a first job, then what waits with it, up to the limits; empty when closed."""
        first, self._held = self._held or self._next(None), None
        if first is None:
            return []
        batch, size = [first], len(first.rows)
        until = self.clock() + self.limits.max_delay_seconds
        while size < self.limits.max_size:
            job = self._next(until)
            if job is None:
                break
            if size + len(job.rows) > self.limits.max_size or job.rows.shape[1] != first.rows.shape[1]:
                self._held = job
                break
            batch.append(job)
            size += len(job.rows)
        return batch

    def _next(self, until: float | None) -> Job | None:
        """The next job that is still awaited; None when closed, or when none comes by `until` (None:
        wait).
        """
        while True:
            try:
                wait = None if until is None else max(0.0, until - self.clock())
                job = self._inbox.get(timeout=wait)
            except Empty:
                return None
            if job is None:
                self._inbox.put(None)  # whoever asks next is told too
                return None
            if not job.answer.done():
                return job

    def _answer(self, batch: list[Job]) -> list[list[Piece]]:
        """The pieces of every job, from one call where the model is well."""
        rows = batch[0].rows if len(batch) == 1 else np.concatenate([job.rows for job in batch])
        pieces = self._run(rows, max(job.deadline for job in batch))
        if len(batch) == 1:
            return [pieces]
        return share(pieces, [len(job.rows) for job in batch])

    def _run(self, rows: FloatArray, deadline: float) -> list[Piece]:
        """One call; when it raises, one each for the halves, until single rows or the deadline are
        reached.
        """
        started = self.clock()
        try:
            prediction = self.predict(rows)
            check(prediction, len(rows))
        except Exception as error:  # a model may raise anything, and its worker must survive it
            now = self.clock()
            self.observe(Observed(len(rows), now - started, failed=True))
            if len(rows) == 1 or now > deadline:
                return [Piece(len(rows), Failure(error))]
            half = len(rows) // 2
            return [*self._run(rows[:half], deadline), *self._run(rows[half:], deadline)]
        self.observe(Observed(len(rows), self.clock() - started))
        return [Piece(len(rows), prediction)]


def check(prediction: Prediction, rows: int) -> None:
    """Raise unless there is one finite answer a row: JSON has no word for the others."""
    values = prediction.values
    if len(values) != rows:
        raise ValueError(f"the model gave {len(values)} answers to {rows} rows")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError("the model answered with a number that is not finite")


def share(pieces: list[Piece], sizes: list[int]) -> list[list[Piece]]:
    """Cut the pieces of a batch at the borders of its jobs."""
    borders = list(itertools.accumulate(sizes))
    shares: list[list[Piece]] = [[] for _ in sizes]
    job, start = 0, 0
    for piece in pieces:
        stop = start + piece.size
        taken = start
        while taken < stop:
            end = min(stop, borders[job])
            outcome = piece.outcome
            part = outcome if isinstance(outcome, Failure) else outcome.part(taken - start, end - start)
            shares[job].append(Piece(end - taken, part))
            taken = end
            job += end == borders[job]
        start = stop
    return shares


def settle(batch: list[Job], answers: list[list[Piece]]) -> None:
    """Give each job its answer; one that gave up meanwhile needs none."""
    for job, pieces in zip(batch, answers, strict=True):
        if not job.answer.done():
            job.answer.set_result(pieces)
