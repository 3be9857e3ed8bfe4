"""Pages that the processes of one server share: a slot of tallies for each worker."""

import mmap
import os
from dataclasses import dataclass

from mlneuron_runtime import tallies
from mlneuron_runtime.tallies import Tallies

LINE = 64
"""Bytes that a processor's core takes at a time: no two workers write within the same ones."""

SLOT = -(-tallies.BYTES // LINE) * LINE


@dataclass(frozen=True, slots=True)
class Memory:
    """`fd` names the pages to another process."""

    fd: int
    slots: list[Tallies]

    @classmethod
    def made(cls, workers: int) -> "Memory":
        fd = os.memfd_create("mlneuron-tallies")
        os.ftruncate(fd, workers * SLOT)
        return cls.of(fd, workers)

    @classmethod
    def of(cls, fd: int, workers: int) -> "Memory":
        """The pages behind a file descriptor from the supervisor."""
        pages = memoryview(mmap.mmap(fd, workers * SLOT))
        starts = range(0, workers * SLOT, SLOT)
        return cls(fd, [Tallies(pages[start : start + tallies.BYTES]) for start in starts])
