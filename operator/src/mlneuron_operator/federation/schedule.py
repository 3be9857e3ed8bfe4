"""When to speak: fixed slots that spread the neurons over the interval, and backoff after failures. All in seconds."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """The reporter's rhythm; the defaults are the wire contract's."""

    tick: float = 1.0
    heartbeat: float = 60.0
    early: float = 10.0
    """The least time between two heartbeats of a neuron, however often its state changes."""
    silence: float = 120.0
    """How long a neuron may go unheard before it is called unreachable: the core calls it offline after as long."""
    goodbye: float = 600.0
    """How long a goodbye is tried before it is given up."""
    resync: float = 600.0
    """How often the kept tokens are compared with the vault's."""
    concurrency: int = 16
    recovery_rate: float = 50.0
    """Neurons a second that speak again after the core was down."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that double up to a cap, each with up to a fifth more or less so that neurons do not move in step."""

    first: float
    cap: float

    def delay(self, failures: int, draw: Callable[[], float]) -> float:
        """The delay after the given count of failures in a row (at least 1); draw gives a number in [0, 1)."""
        plain = min(self.cap, self.first * 2.0 ** min(failures - 1, 30))
        return plain * (0.8 + 0.4 * draw())


TROUBLE = Backoff(first=5.0, cap=300.0)
"""For a call that failed on its way."""
REFUSAL = Backoff(first=60.0, cap=600.0)
"""For an answer that only a person can change."""
OUTAGE = Backoff(first=2.0, cap=60.0)
"""For the probes of a core that is down."""


def phase(neuron_id: str) -> float:
    """The neuron's place in every interval, in [0, 1): the same in every process, so a new leader keeps the rhythm."""
    digest = hashlib.blake2b(neuron_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2.0**64


def next_slot(neuron_id: str, interval: float, wall: float, *, spoke: bool) -> float:
    """Seconds from the wall time until the neuron's next slot.

    After it spoke that is the slot nearest to a whole interval later: never under half of one, so that an early
    heartbeat does not bring the next at once, and never over one and a half, so that the core does not miss it.
    """
    earliest = wall + interval / 2 if spoke else wall
    offset = phase(neuron_id) * interval
    return (offset - earliest) % interval + (earliest - wall)
