"""Commands run to their end, and recorded processes that are ended by their PID, never by a name."""

# ruff: noqa: S603 - commands come from this package, never from outside

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.errors import DevError, tail
from dev.paths import ROOT


def run(
    argv: Sequence[str | Path],
    *,
    log: Path | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    text: str | None = None,
) -> str:
    """Run to the end and return standard output; a failure becomes a DevError with the end of its output.

    `text` is its standard input. With a `log`, output goes there and nothing is returned.
    """
    command = [str(part) for part in argv]
    if log is None:
        result = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd, env=env, input=text)
        if result.returncode:
            said = (result.stderr or result.stdout).strip()
            raise DevError(f"{' '.join(command)} failed ({result.returncode}):\n{said}")
        return result.stdout
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        ended = subprocess.run(
            command, check=False, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL, cwd=cwd, env=env
        )
    if ended.returncode:
        raise DevError(f"{' '.join(command)} failed ({ended.returncode})\n{tail(log)}")
    return ""


def wait_for(what: str, ready: Callable[[], bool], seconds: float, *, interval: float = 0.2) -> None:
    """Poll with a deadline; a DevError names what never came."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise DevError(f"{what}: not so after {seconds:.0f} s")
        time.sleep(interval)


@dataclass(frozen=True)
class Recorded:
    """A process by PID and start time: a PID alone may be somebody else's by the time it is read back."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Recorded":
        """Record a process that runs now."""
        return cls(pid, _start_time(pid) or "")

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return bool(self.started) and _start_time(self.pid) == self.started

    def end(self, seconds: float = 20) -> None:
        """Kill it and wait until it is gone; what it started must be bound to it (a PID namespace, a pipe)."""
        if not self.alive():
            return
        os.kill(self.pid, signal.SIGKILL)
        wait_for(f"process {self.pid} gone", lambda: not self.alive() or _reaped(self.pid), seconds, interval=0.05)


def detach(command: Sequence[str | Path], log: Path) -> tuple[Recorded, int]:
    """Start a process in a session of its own that may outlive this one, and a pipe to its standard input."""
    argv = [str(part) for part in command]
    program = shutil.which(argv[0])
    if not program:
        raise DevError(f"{argv[0]} is needed and not on the PATH")
    theirs, ours = os.pipe()
    actions = [
        (os.POSIX_SPAWN_DUP2, theirs, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    pid = os.posix_spawn(program, argv, env, file_actions=actions, setsid=True)
    os.close(theirs)
    return Recorded.of(pid), ours


def _start_time(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _reaped(pid: int) -> bool:
    """Reap it where it is this process's own child; otherwise its parent does."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def child_of(pid: int) -> int | None:
    """The one child of a process such as `unshare --fork`, once there is one."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None
