"""One worker: a whole runtime, told by its supervisor what to serve and what it shares."""

import ctypes
import faulthandler
import os
import signal
import socket
import sys
from typing import NoReturn

import msgspec

from mlneuron_runtime import log
from mlneuron_runtime.failure import Fatal, report
from mlneuron_runtime.options import Options
from mlneuron_runtime.settings import Config, environment
from mlneuron_runtime.workers.memory import Memory
from mlneuron_runtime.workers.seat import Seat

TRACE_SIGNAL = signal.SIGUSR1
"""Makes a worker write the stacks of its threads into its trace, whatever it is busy with."""

_PR_SET_PDEATHSIG = 1


class Assignment(msgspec.Struct, frozen=True):
    """What a worker reads from its standard input. `memory`, `serving`, `metrics` and `trace` are file descriptors;
    `number` counts from 1; `supervisor` is the process that it must not outlive; `started_at`, in Unix seconds, is
    when that one began.
    """

    config: Config
    options: Options
    number: int
    memory: int
    serving: int
    metrics: int
    trace: int
    supervisor: int
    started_at: float


def main() -> int:
    """Serve as assigned; the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    assigned = msgspec.json.decode(sys.stdin.buffer.read(), type=Assignment)
    not_outlive(assigned.supervisor)
    faulthandler.enable(assigned.trace)
    faulthandler.register(TRACE_SIGNAL, assigned.trace)
    variables = environment()
    log.configure(variables.log_level, sys.stderr if assigned.options.greet else sys.stdout, assigned.number)
    try:
        from mlneuron_runtime import server

        server.run(assigned.config, assigned.options, assigned.started_at, seat(assigned))
    except Fatal as failure:
        return report(failure, variables.termination_log, log.fatal)
    return 0


def leave(number: int, _frame: object) -> NoReturn:
    """Stop while importing."""
    raise SystemExit(128 + number)


def not_outlive(supervisor: int) -> None:
    """Be killed when the supervisor ends, however it ends and whatever this process then does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:
        raise SystemExit(1)


def seat(assigned: Assignment) -> Seat:
    slots = Memory.of(assigned.memory, assigned.config.serving.workers).slots
    serving, metrics = (socket.socket(fileno=fd) for fd in (assigned.serving, assigned.metrics))
    return Seat(slots, assigned.number - 1, serving, metrics, shared=True)


if __name__ == "__main__":
    sys.exit(main())
