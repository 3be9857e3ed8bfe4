"""The process that starts, watches and replaces the workers. It serves nothing itself.

A worker that ends without being asked is replaced, at once at first, later after a growing pause; one that hangs is
killed. What no restart can mend (a worker that says so by `failure.EXIT_CODE`, or workers that end EARLY_ENDS times in
a row before they are ready) ends the whole, so that the kubelet and the operator see it.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from mlneuron_runtime import failure, tallies
from mlneuron_runtime.listening import bind
from mlneuron_runtime.options import Options
from mlneuron_runtime.settings import Config
from mlneuron_runtime.tallies import Tallies
from mlneuron_runtime.workers.memory import Memory
from mlneuron_runtime.workers.watch import LOOK_SECONDS, Watch
from mlneuron_runtime.workers.worker import TRACE_SIGNAL, Assignment

log = structlog.get_logger()

EARLY_ENDS = 3
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 10.0

GRACE_SECONDS = 5.0
"""Beyond `drainSeconds`, until a worker that was told to stop is killed."""

TRACE_SECONDS = 0.5
"""For a worker that hangs to write its stacks."""

LONGEST_TRACE = 16_384

STOPS = (signal.SIGTERM, signal.SIGINT)
WAITED = (*STOPS, signal.SIGCHLD)


def run(config: Config, options: Options, started_at: float) -> int:
    """Serve until told to stop; the exit code. Raises Fatal. `started_at` is in Unix seconds."""
    signal.pthread_sigmask(signal.SIG_BLOCK, WAITED)
    sockets = [bind(options.host, options.port), bind(options.host, options.metrics_port)]
    if config.serving.grpc:
        # gRPC makes its own sockets, one a worker on the same port; this one never listens, it keeps the port ours
        sockets.append(bind(options.host, options.grpc_port, shared=True))
    ports = [bound.getsockname()[1] for bound in sockets] + [None]
    log.info("listening", port=ports[0], metrics_port=ports[1], grpc_port=ports[2], workers=config.serving.workers)
    options = msgspec.structs.replace(options, grpc_port=ports[2] or 0)
    return Supervisor(config, options, sockets, started_at).live()


@dataclass(slots=True)
class Worker:
    """A place for one process after the other; `pid` 0: none at present. Times are in monotonic seconds.

    `trace` is a file that it writes stacks into when it crashes or is asked; `early` counts how many in a row ended
    before they were ready.
    """

    number: int
    slot: Tallies
    watch: Watch
    trace: int
    pid: int = 0
    early: int = 0
    next_start: float = 0.0
    was_ready: bool = False


@dataclass(slots=True)
class Supervisor:
    """Of all workers."""

    config: Config
    options: Options
    sockets: Sequence[socket.socket]
    started_at: float
    memory: Memory = field(init=False)
    workers: list[Worker] = field(init=False)
    code: int = 0
    asked: bool = False
    kill_at: float | None = None

    def __post_init__(self) -> None:
        serving = self.config.serving
        self.memory = Memory.made(serving.workers)
        self.workers = [
            Worker(place + 1, slot, Watch(serving.longest_call_seconds), os.memfd_create("mlneuron-trace"))
            for place, slot in enumerate(self.memory.slots)
        ]

    @property
    def stopping(self) -> bool:
        return self.kill_at is not None

    def live(self) -> int:
        """Until the last worker has ended; the exit code."""
        while True:
            self.start_due()
            if self.stopping and not any(worker.pid for worker in self.workers):
                log.info("all stopped", requests=tallies.Sum(self.memory.slots).count(tallies.REQUESTS))
                return self.code
            caught = signal.sigtimedwait(WAITED, LOOK_SECONDS)
            if caught is not None and caught.si_signo in STOPS:
                self.ask(caught.si_signo)
            self.reap()
            self.look()

    def start_due(self) -> None:
        """Start who is missing and has paused long enough."""
        for worker in self.workers:
            if not worker.pid and not self.stopping and time.monotonic() >= worker.next_start:
                self.start(worker)

    def start(self, worker: Worker) -> None:
        os.ftruncate(worker.trace, 0)
        os.lseek(worker.trace, 0, os.SEEK_SET)
        serving, metrics = (listener.fileno() for listener in self.sockets[:2])
        assignment = Assignment(
            self.config, self.options, worker.number, self.memory.fd, serving, metrics, worker.trace, os.getpid(),
            self.started_at,
        )  # fmt: skip
        worker.watch, worker.was_ready = Watch(worker.watch.limit), False
        worker.pid = spawn(assignment, (self.memory.fd, serving, metrics, worker.trace))
        worker.slot.cells[tallies.PID] = worker.pid

    def ask(self, number: int) -> None:
        """Pass a signal on; the second one ends everything at once."""
        if self.asked:
            self.tell_all(signal.SIGKILL)
            sys.stdout.flush()
            os._exit(128 + number)
        self.asked = True
        if not self.stopping:
            self.stop(number)

    def stop(self, number: int, code: int = 0) -> None:
        """Let the workers drain, and end with `code`."""
        self.code = code
        self.kill_at = time.monotonic() + self.config.serving.drain_seconds + GRACE_SECONDS
        for listener in self.sockets:
            listener.close()
        self.tell_all(number)

    def tell_all(self, number: int) -> None:
        for worker in self.workers:
            if worker.pid:
                os.kill(worker.pid, number)

    def reap(self) -> None:
        """Take note of all that ended."""
        while any(worker.pid for worker in self.workers):
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                return
            for worker in self.workers:
                if worker.pid == pid:
                    worker.slot.cells[tallies.PAST_CPU_SECONDS] += usage.ru_utime + usage.ru_stime
                    self.ended(worker, os.waitstatus_to_exitcode(status))

    def ended(self, worker: Worker, code: int) -> None:
        """Decide what follows from a worker's end. `code` is negative for a signal's number."""
        pid, worker.pid = worker.pid, 0
        worker.was_ready |= bool(worker.slot.cells[tallies.READY])
        worker.slot.ended()
        if self.stopping:
            return
        if code == failure.EXIT_CODE:
            self.stop(signal.SIGTERM, code)
            return
        worker.early = 0 if worker.was_ready else worker.early + 1
        worker.slot.cells[tallies.RESTARTS] += 1
        worker.next_start = time.monotonic() + pause(worker.early)
        log.error(
            "worker ended",
            worker=worker.number,
            pid=pid,
            ended_by=ending(code),
            early=worker.early,
            stacks=traced(worker),
        )
        if worker.early >= EARLY_ENDS:
            log.error(
                "giving up", reason="WorkersEnd", message=f"{EARLY_ENDS} workers in a row ended before they were ready"
            )
            self.stop(signal.SIGTERM, code if code > 0 else 128 - code)

    def look(self) -> None:
        """Kill who hangs, and who did not stop in time."""
        now = time.monotonic()
        if self.kill_at is not None and now >= self.kill_at:
            log.error("killing the workers that did not stop in time")
            self.tell_all(signal.SIGKILL)
            return
        for worker in self.workers:
            worker.was_ready |= bool(worker.slot.cells[tallies.READY])
            hung = worker.watch.look(worker.slot, now) if worker.pid else None
            if hung is not None:
                end_hanging(worker, hung)


def spawn(assignment: Assignment, shared: Sequence[int]) -> int:
    """A fresh process with its assignment as its standard input, in a group of its own: a terminal's Ctrl-C is told by
    the supervisor alone.
    """
    told = os.memfd_create("mlneuron-assignment")
    os.write(told, msgspec.json.encode(assignment))
    os.lseek(told, 0, os.SEEK_SET)
    for fd in shared:
        os.set_inheritable(fd, True)
    try:
        return os.posix_spawn(
            sys.executable, [sys.executable, "-P", "-m", "mlneuron_runtime.workers.worker"], os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, told, 0)], setpgroup=0,
        )  # fmt: skip
    finally:
        os.close(told)


def end_hanging(worker: Worker, hung: str) -> None:
    """Say where it hangs, and kill it."""
    os.kill(worker.pid, TRACE_SIGNAL)
    deadline = time.monotonic() + TRACE_SECONDS
    written = 0
    while time.monotonic() < deadline and (not written or written != os.fstat(worker.trace).st_size):
        written = os.fstat(worker.trace).st_size
        time.sleep(0.02)
    log.error("worker hangs and is killed", worker=worker.number, pid=worker.pid, what=hung)
    os.kill(worker.pid, signal.SIGKILL)


def pause(early: int) -> float:
    """Seconds until the next start, after so many in a row that ended early."""
    return min(SHORTEST_PAUSE_SECONDS * 2 ** (early - 1), LONGEST_PAUSE_SECONDS) if early else 0.0


def ending(code: int) -> str:
    """In words."""
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def traced(worker: Worker) -> str | None:
    """The stacks that it left, if any."""
    text = os.pread(worker.trace, LONGEST_TRACE, 0).decode(errors="replace")
    return text or None
