"""One of many processes at a time, on a volume that machines share: by files alone, since not every such volume has
locks of the kernel's, and none of them tells that a machine is gone.

The holder owns the lock file with the highest number, and counts up in it. Who sees the count stand still takes over by
creating the next number, which only one process can. No clocks are compared. A holder that was only paused may come
back; so what the lock protects has to bear two, and only be cheaper with one.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import structlog

log = structlog.get_logger()

BEAT = 2.0
"""Seconds between two counts of the holder."""

STALE = 20.0
"""Seconds after which a count that stands still means that its holder is dead."""

POLL = 0.5
"""Seconds between two looks of one that waits."""


class Lock:
    """A context manager; entering waits for as long as a living process holds it. `name` is the file's, in `folder`."""

    def __init__(
        self, folder: Path, name: str, *, beat: float = BEAT, stale: float = STALE, poll: float = POLL,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._folder, self._name = folder, name
        self._beat, self._stale, self._poll, self._sleep = beat, stale, poll, sleep
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._held: Path | None = None

    def __enter__(self) -> "Lock":
        seen, since, told = "", time.monotonic(), False
        while True:
            number = self._highest()
            count = self._read(number)
            if count != seen:
                seen, since = count, time.monotonic()
            if (number < 0 or time.monotonic() - since >= self._stale) and self._take(number + 1):
                return self
            if not told:
                told = True
                log.info("another fetch is at it; waiting for it", lock=str(self._path(number)))
            self._sleep(self._poll)

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join(5.0)  # a volume that hangs must not hold up the end
        if self._held is not None:
            self._held.unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._name}.{number}"

    def _highest(self) -> int:
        """The number of the newest lock file; -1 where there is none."""
        numbers = [path.name.removeprefix(f"{self._name}.") for path in self._folder.glob(f"{self._name}.*")]
        return max((int(number) for number in numbers if number.isdigit()), default=-1)

    def _read(self, number: int) -> str:
        """What identifies this moment of the holder's life. Opening, unlike stat, makes a network volume look anew."""
        try:
            return f"{number} {self._path(number).read_text()}"
        except OSError:
            return f"{number}"

    def _take(self, number: int) -> bool:
        try:
            descriptor = os.open(self._path(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        self._held = self._path(number)
        self._thread = threading.Thread(target=self._live, args=(descriptor,), daemon=True)
        self._thread.start()
        for older in range(number):
            self._path(older).unlink(missing_ok=True)
        return True

    def _live(self, descriptor: int) -> None:
        """Count up until released."""
        with contextlib.suppress(OSError), os.fdopen(descriptor, "wb", buffering=0) as file:
            count = 0
            while not self._done.is_set():
                os.pwrite(file.fileno(), f"{os.uname().nodename} {os.getpid()} {count}".encode(), 0)
                os.fsync(file.fileno())
                count += 1
                self._done.wait(self._beat)
