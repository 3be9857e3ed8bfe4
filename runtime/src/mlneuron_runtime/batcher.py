"""The bounded queue before the model, and where the model runs: in the event loop's own turn while it is cheap and
idle, else in one thread.

Requests that arrive while the model is busy, or in the same turn of the loop, form the next batch: what waits is
taken up to `max_size` rows, so batches grow with the load and a lone request waits for nobody (unless
`max_delay_seconds` says so). A call of some microseconds costs less than handing it to a thread and back; `inline_rows`
is how many rows such a call may hold. One thread, since most models are not safe to call from two, and a second would
only contend for the same cores.

A batch that raises is halved until the rows at fault stand alone, so a poisoned request fails itself only.
"""

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Protocol

from mlneuron_runtime.errors import Overloaded
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.settings import Batching
from mlneuron_runtime.tensors import Inputs, alike, cut, joined, rows_of

SWEEPS = 50
"""How often within a deadline it is looked for jobs past theirs: one timer for all of them, not one each."""

SHORTEST_SWEEP_SECONDS, LONGEST_SWEEP_SECONDS = 0.001, 0.1


@dataclass(frozen=True, slots=True)
class Failure:
    """Rows the model raised on."""

    error: Exception


@dataclass(slots=True)
class Piece:
    """What became of neighbouring rows of a job: those from `start` to `stop` of the outcome's."""

    outcome: Prediction | Failure
    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start


class Waiting(Protocol):
    """Who waits for the pieces of a job, or for a TimeoutError: a future, or what acts as one. Told on the event loop,
    once; it must not raise then, since others wait for the same batch.
    """

    def done(self) -> bool: ...

    def set_result(self, pieces: list[Piece], /) -> None: ...

    def set_exception(self, error: TimeoutError, /) -> None: ...


@dataclass(slots=True, eq=False)
class Job:
    """One request's rows in the queue. `deadline` is in the clock's seconds."""

    inputs: Inputs
    rows: int
    deadline: float
    answer: Waiting


@dataclass(slots=True)
class Observed:
    """What is told of each model call: rows, seconds, and whether it raised."""

    rows: int
    seconds: float
    failed: bool = False


@dataclass(slots=True)
class Batcher:
    """Queue and worker. Built on the event loop that its answers are awaited on."""

    predict: Callable[[Inputs], Prediction]
    limits: Batching
    observe: Callable[[Observed], None] = lambda _call: None
    clock: Callable[[], float] = time.monotonic
    inline_rows: int = 0
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _inbox: SimpleQueue[Job | None] = field(default_factory=SimpleQueue)
    _turn: list[Job] = field(default_factory=list)
    _waiting: deque[Job] = field(default_factory=deque)
    _given: int = 0
    _done: int = 0
    _sweeping: bool = False
    _held: Job | None = None
    _busy_since: float | None = None
    _thread: threading.Thread | None = None
    _closed: bool = False

    def __post_init__(self) -> None:
        if self.limits.max_delay_seconds > 0:
            self.inline_rows = 0  # whoever asks for a delay wants larger batches than a turn gives

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
        return self._inbox.qsize() + (self._held is not None) + len(self._turn)

    @property
    def busy_since(self) -> float:
        """When the present batch went to the model, in the clock's seconds; 0 when idle."""
        return self._busy_since or 0.0

    def busy_seconds(self) -> float:
        """How long the present batch has been at the model; 0 when idle."""
        since = self._busy_since
        return 0.0 if since is None else self.clock() - since

    @property
    def alive(self) -> bool:
        """Whether the worker runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def _idle(self) -> bool:
        """Whether the worker has nothing to do: `_given` is counted by the loop, `_done` by the worker."""
        return self._given == self._done

    def at_once(self, inputs: Inputs) -> list[Piece] | None:
        """What the model makes of the rows, from a call here and now; None where that would hold up others."""
        if self._closed or rows_of(inputs) > self.inline_rows or not self._idle:
            return None
        return self._run(inputs, self.clock() + LONGEST_SWEEP_SECONDS)

    def submit(self, inputs: Inputs, timeout: float) -> asyncio.Future[list[Piece]]:
        """What the model makes of the rows, in order, or TimeoutError after `timeout`; raises Overloaded at once."""
        answer: asyncio.Future[list[Piece]] = self.loop.create_future()
        self.put(inputs, timeout, answer)
        return answer

    def put(self, inputs: Inputs, timeout: float, answer: Waiting) -> None:
        """Let the model answer whoever waits, some time; raises Overloaded at once."""
        if self._closed or self.depth >= self.limits.max_queue:
            raise Overloaded("server", f"the queue holds {self.depth} requests already; send it again later")
        job = Job(inputs, rows_of(inputs), self.clock() + timeout, answer)
        if job.rows <= self.inline_rows and self._idle:
            if not self._turn:
                self.loop.call_soon(self._end_turn)
            self._turn.append(job)
            return
        self._given += 1
        self._waiting.append(job)
        self._inbox.put(job)
        if not self._sweeping:
            self._sweeping = True
            self._sweep_later(timeout)

    def _end_turn(self) -> None:
        """Answer what came in this turn of the loop."""
        turn, self._turn = self._turn, []
        batch: list[Job] = []
        size = 0
        for job in turn:
            if batch and (size + job.rows > self.inline_rows or not alike(job.inputs, batch[0].inputs)):
                settle(batch, self._answer(batch))
                batch, size = [], 0
            batch.append(job)
            size += job.rows
        settle(batch, self._answer(batch))

    def _sweep_later(self, timeout: float) -> None:
        pause = min(max(timeout / SWEEPS, SHORTEST_SWEEP_SECONDS), LONGEST_SWEEP_SECONDS)
        self.loop.call_later(pause, self._sweep, timeout)

    def _sweep(self, timeout: float) -> None:
        """Let go of the jobs past their deadlines, and look again as long as any waits."""
        now = self.clock()
        waiting = [job for job in self._waiting if not job.answer.done()]
        self._waiting = deque(job for job in waiting if job.deadline > now)
        for job in waiting:
            if job.deadline <= now:
                job.answer.set_exception(TimeoutError())  # who may put another job at once
        if self._waiting:
            self._sweep_later(min(timeout, min(job.deadline - now for job in self._waiting) * SWEEPS))
        else:
            self._sweeping = False

    def _work(self) -> None:
        """The worker's life: take, run, hand back."""
        while batch := self._take():
            self._busy_since = self.clock()
            answers = self._answer(batch)
            self._busy_since = None
            self._done += len(batch)
            try:
                self.loop.call_soon_threadsafe(settle, batch, answers)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

    def _take(self) -> list[Job]:
        """The next batch: a first job, then what waits with it, up to the limits; empty when closed."""
        first, self._held = self._held or self._next(None), None
        if first is None:
            return []
        batch, size = [first], first.rows
        until = self.clock() + self.limits.max_delay_seconds
        while size < self.limits.max_size:
            job = self._next(until)
            if job is None:
                break
            if size + job.rows > self.limits.max_size or not alike(job.inputs, first.inputs):
                self._held = job
                break
            batch.append(job)
            size += job.rows
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
            self._done += 1

    def _answer(self, batch: list[Job]) -> list[list[Piece]]:
        """The pieces of every job, from one call where the model is well."""
        pieces = self._run(joined([job.inputs for job in batch]), max(job.deadline for job in batch))
        if len(batch) == 1:
            return [pieces]
        return share(pieces, [job.rows for job in batch])

    def _run(self, inputs: Inputs, deadline: float) -> list[Piece]:
        """One call; when it raises, one each for the halves, until single rows or the deadline are
        reached.
        """
        rows = rows_of(inputs)
        started = self.clock()
        try:
            prediction = self.predict(inputs)
            check(prediction, rows)
        except Exception as error:  # a model may raise anything, and its worker must survive it
            now = self.clock()
            self.observe(Observed(rows, now - started, failed=True))
            if rows == 1 or now > deadline:
                return [Piece(Failure(error), 0, rows)]
            half = rows // 2
            return [*self._run(cut(inputs, 0, half), deadline), *self._run(cut(inputs, half, rows), deadline)]
        self.observe(Observed(rows, self.clock() - started))
        return [Piece(prediction, 0, rows)]


def check(prediction: Prediction, rows: int) -> None:
    """Raise unless there is one finite answer a row."""
    if len(prediction) != rows:
        raise ValueError(f"the model gave {len(prediction)} answers to {rows} rows")
    if not prediction.is_finite:
        raise ValueError("the model answered with a number that is not finite")


def share(pieces: list[Piece], sizes: list[int]) -> list[list[Piece]]:
    """Cut the pieces of a batch at the borders of its jobs."""
    if len(pieces) == 1:
        outcome = pieces[0].outcome
        return [
            [Piece(outcome, stop - size, stop)] for size, stop in zip(sizes, itertools.accumulate(sizes), strict=True)
        ]
    borders = list(itertools.accumulate(sizes))
    shares: list[list[Piece]] = [[] for _ in sizes]
    job, start = 0, 0
    for piece in pieces:
        stop = start + piece.size
        taken = start
        while taken < stop:
            end = min(stop, borders[job])
            shares[job].append(Piece(piece.outcome, piece.start + taken - start, piece.start + end - start))
            taken = end
            job += end == borders[job]
        start = stop
    return shares


def settle(batch: list[Job], answers: list[list[Piece]]) -> None:
    """Give each job its answer; one that gave up meanwhile needs none."""
    for job, pieces in zip(batch, answers, strict=True):
        if not job.answer.done():
            job.answer.set_result(pieces)
