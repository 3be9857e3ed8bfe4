"""Where one process sits among those that serve as one."""

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from mlneuron_runtime import tallies
from mlneuron_runtime.tallies import Tallies
from mlneuron_runtime.workers.watch import LOOK_SECONDS

FRESH_SECONDS = 4 * LOOK_SECONDS
"""A worker that was silent for longer is counted on by no other."""

MOST_WAITS = 6
"""How often a connection is left to a worker that has fewer: one that is busy must not delay it for long. With the
acceptor's pauses this is 63 ms.
"""


@dataclass(frozen=True, slots=True)
class Seat:
    """The slots of all processes, this one's place among them, and the sockets of its two ports.

    With `shared` sockets a supervisor looks after the processes.
    """

    slots: Sequence[Tallies]
    place: int
    serving: socket.socket
    metrics: socket.socket
    shared: bool

    def __enter__(self) -> "Seat":
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the sockets, here."""
        self.serving.close()
        self.metrics.close()

    @property
    def own(self) -> Tallies:
        return self.slots[self.place]

    def others_ready(self) -> list[Tallies]:
        """Those that requests can be left to."""
        now = time.monotonic()
        return [
            one for one in self.slots
            if one is not self.own and one.cells[tallies.READY] and now - one.cells[tallies.PULSE] < FRESH_SECONDS
        ]  # fmt: skip

    def leaves_connection(self, mine: int, waits: int) -> bool:
        """Whether another worker should take the next connection, having fewer than this one's `mine`."""
        self.own.cells[tallies.CONNECTIONS] = mine
        if waits >= MOST_WAITS:
            return False
        return any(one.cells[tallies.CONNECTIONS] < mine for one in self.others_ready())
