"""What a preparing process may take: it must not end what shares its memory limit, nor outlive who started it."""

import contextlib
import ctypes
import resource
import signal
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup/memory.max")

SHARE = 0.9
"""Of the container's memory limit; the rest is for who waits."""

PR_SET_PDEATHSIG = 1


def keep(limit_file: Path = CGROUP) -> None:
    """Once, at the start: memory by what a failing allocation can tell, and an end with the parent's."""
    limit = memory_limit(limit_file)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))
    with contextlib.suppress(OSError, AttributeError):  # not Linux
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def memory_limit(limit_file: Path) -> int | None:
    """Bytes of private memory; None where the container has no limit."""
    try:
        told = limit_file.read_text().strip()
    except OSError:
        return None
    return int(int(told) * SHARE) if told.isdecimal() else None
