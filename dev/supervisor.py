"""Keeps a cluster's processes running until it is told to end, or its starter dies.

Run as a program with the path of a plan (JSON). One that ends is started again, as an init system would.
Everything ends with it: as PID 1 of a PID namespace by the kernel's doing, else by killing each child's session.
"""

import json
import os
import select
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

TICK_SECONDS = 0.2
RESTART_SECONDS = 1.0


@dataclass(frozen=True)
class Component:
    """One process of the plan."""

    name: str
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What to run and where it logs; `open_dirs` are folders whose new subfolders any user may write to."""

    logs: str
    components: list[Component]
    open_dirs: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Save it for the supervisor's process."""
        path.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, path: Path) -> "Plan":
        """Load what `write` saved."""
        raw = json.loads(path.read_text())
        return cls(raw["logs"], [Component(**c) for c in raw["components"]], raw["open_dirs"])


class Supervisor:
    """The running components by PID."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._running: dict[int, Component] = {}
        self._due: list[tuple[float, Component]] = [(0.0, component) for component in plan.components]
        self._stopping = False

    def run(self, *, until_eof: bool) -> None:
        """Run until SIGTERM or SIGINT, or until standard input closes where `until_eof`."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            while not self._stopping:
                self._start_due()
                self._reap()
                _open_to_all(self._plan.open_dirs)
                if until_eof and _input_closed():
                    break
                if not until_eof:
                    time.sleep(TICK_SECONDS)
        finally:
            self._end_all()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _start_due(self) -> None:
        now = time.monotonic()
        for entry in [entry for entry in self._due if entry[0] <= now]:
            self._due.remove(entry)
            self._running[_spawn(entry[1], Path(self._plan.logs))] = entry[1]

    def _reap(self) -> None:
        """Collect whatever ended; as PID 1 that includes orphans that are not ours."""
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if component := self._running.pop(pid, None):
                self._due.append((time.monotonic() + RESTART_SECONDS, component))

    def _end_all(self) -> None:
        for pid in self._running:
            os.kill(pid, signal.SIGKILL)
        for pid in self._running:
            os.waitpid(pid, 0)


def _spawn(component: Component, logs: Path) -> int:
    log = str(logs / f"{component.name}.log")
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    env = {**os.environ, **component.env}
    return os.posix_spawn(component.argv[0], component.argv, env, file_actions=actions, setsid=True)


def _input_closed() -> bool:
    """Wait one tick for the starter's end of the pipe to close, which it does even if it is killed."""
    readable, _, _ = select.select([0], [], [], TICK_SECONDS)
    return bool(readable) and not os.read(0, 4096)


def _open_to_all(folders: list[str]) -> None:
    """Let any user write to provisioned volumes: Kubernetes makes hostPath ones for root only."""
    for folder in folders:
        for entry in Path(folder).glob("*"):
            if entry.stat().st_mode & 0o777 != 0o777:
                entry.chmod(0o777)


if __name__ == "__main__":
    Supervisor(Plan.read(Path(sys.argv[1]))).run(until_eof=True)
