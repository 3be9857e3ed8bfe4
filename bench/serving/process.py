"""A server as a process of its own on its own core: started, waited for, weighed, ended."""

# ruff: noqa: S603 - commands come from the catalog, never from outside

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.serving.catalog import Launch
from dev.paths import ROOT

READY_SECONDS = 60.0
STOP_SECONDS = 4.0
POLL_SECONDS = 0.02
"""Between questions to a server that starts: what listens early has to refuse them while it loads."""


class NotServing(Exception):
    """A server that did not start, or that did not answer."""


@dataclass(frozen=True)
class Running:
    """A server that has answered. `cold_seconds` from its start to that answer."""

    process: psutil.Process
    cold_seconds: float

    def megabytes(self) -> float:
        """Proportional set size of the whole tree, so that pages shared in it count once."""
        return sum(_pss(process) for process in (self.process, *self.process.children(recursive=True))) / 1e6


def _pss(process: psutil.Process) -> float:
    with suppress(psutil.Error, OSError):
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        return sum(float(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
    return 0.0


@contextmanager
def running(launch: Launch, core: int, log: Path, answers: Callable[[], bool]) -> Iterator[Running]:
    """Start a server pinned to a core and wait until `answers` says yes; raises NotServing. It is ended at exit."""
    env, pinned = _environment(launch.env), ["taskset", "--cpu-list", str(core)]
    with log.open("w") as output:
        if launch.before:
            done = subprocess.run(
                [*pinned, *launch.before], env=env, stdout=output, stderr=output, timeout=READY_SECONDS, check=False
            )
            if done.returncode:
                raise NotServing(_last_line(log))
        started = time.perf_counter()
        child = subprocess.Popen(
            [*pinned, *launch.command], env=env, stdout=output, stderr=output, start_new_session=True
        )
    process = psutil.Process(child.pid)
    try:
        _wait(child, started, answers, log)
        yield Running(process, time.perf_counter() - started)
    finally:
        _end(process, child)


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """This process's, without what would keep a server from using its bytecode, with one thread a library."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**inherited, **threads, "PYTHONPATH": str(ROOT), **own}


def _wait(child: "subprocess.Popen[bytes]", started: float, answers: Callable[[], bool], log: Path) -> None:
    while not answers():
        if child.poll() is not None:
            raise NotServing(f"ended with {child.returncode}: {_last_line(log)}")
        if time.perf_counter() - started > READY_SECONDS:
            raise NotServing(f"no good answer within {READY_SECONDS:.0f} s: {_last_line(log)}")
        time.sleep(POLL_SECONDS)


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f"{lines[-1][:300] if lines else 'nothing in its log'} ({log.relative_to(ROOT)})"


def _end(process: psutil.Process, child: "subprocess.Popen[bytes]") -> None:
    """Ask with SIGINT, which no server drains for, then with SIGTERM, then kill; its children with it."""
    tree: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        tree = process.children(recursive=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        if child.poll() is None:
            child.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                child.wait(STOP_SECONDS)
    if child.poll() is None:
        child.kill()
    child.wait()
    for left in tree:
        with suppress(psutil.NoSuchProcess):
            left.kill()
    psutil.wait_procs(tree, timeout=STOP_SECONDS)
