"""What is being done and how long it took, for a person who waits."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

REMINDER_SECONDS = 30.0


def say(text: str) -> None:
    """One line, flushed, since several threads report at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextmanager
def step(what: str) -> Iterator[None]:
    """Announce a step, remind while it runs, and say how long it took."""
    say(f"  .. {what}")
    started = time.monotonic()
    done = threading.Event()
    threading.Thread(target=_remind, args=(what, started, done), daemon=True).start()
    try:
        yield
    except BaseException:
        say(f"  !! {what}: failed after {time.monotonic() - started:.0f} s")
        raise
    finally:
        done.set()
    say(f"  ok {what} ({time.monotonic() - started:.0f} s)")


def _remind(what: str, started: float, done: threading.Event) -> None:
    while not done.wait(REMINDER_SECONDS):
        say(f"     still at it: {what} ({time.monotonic() - started:.0f} s)")
