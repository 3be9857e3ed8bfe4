"""What is counted of each variant and of the primary, in the cells that a server's processes share.

A process gives a variant one of its own slots by name; who adds the processes up joins them by that name, so that no
two of them need agree. Names are kept as a number that a cell can hold.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from mlneuron_runtime.tallies import READY, TRAFFIC, TRAFFIC_CELLS, Tallies
from mlneuron_runtime.traffic.table import MOST_VARIANTS, PRIMARY

PLACES = MOST_VARIANTS + 1

FALLBACKS = ("connect", "timeout", "server_error", "unavailable", "refused", "circuit_open", "no_grpc")
"""Why the primary answered for a variant. `refused`: the variant answered 4xx, and the primary did not."""

UNASKED = ("circuit_open", "no_grpc")
"""Of these, those that are not the variant's fault: it was not asked."""

COMPARISONS = ("agree", "disagree", "error", "dropped")
"""What came of a mirrored request."""

STEPS = 8
"""Buckets a doubling: neighbours are 9 % apart, so that a 95th percentile that grew by a fifth is seen."""

BOUNDS: tuple[float, ...] = tuple(2 ** (step / STEPS) for step in range(-13 * STEPS, 5 * STEPS + 1))
"""Seconds, from 0.1 ms to 32 s."""

COARSE: tuple[float, ...] = BOUNDS[::STEPS]

FIELDS = (
    "key", "requests", "errors", "seconds", "feedback", "correct", "numeric", "absolute_error", "shadow_seconds",
    "shadow_primary_seconds", *FALLBACKS, *COMPARISONS,
)  # fmt: skip
FIELD = {name: place for place, name in enumerate(FIELDS)}

REQUESTS, TOTAL_SECONDS = FIELD["requests"], FIELD["seconds"]

LATENCY = len(FIELDS)
SHADOW_LATENCY = LATENCY + len(BOUNDS) + 1
SHADOW_PRIMARY_LATENCY = SHADOW_LATENCY + len(COARSE) + 1
USED = SHADOW_PRIMARY_LATENCY + len(COARSE) + 1

SIZE = TRAFFIC_CELLS // PLACES
REVISION = TRAFFIC + PLACES * SIZE
"""The table that a process has in force, as a number; 0: none."""
assert USED <= SIZE  # noqa: S101  # else the cells of two variants would overlap

KEY_BITS = 52
"""So many a float64 holds exactly."""


class Counters:
    """One variant's, in one process."""

    __slots__ = ("_cells", "_start")

    def __init__(self, cells: "memoryview[float]", start: int) -> None:
        self._cells, self._start = cells, start

    def add(self, field: str, amount: float = 1.0) -> None:
        self._cells[self._start + FIELD[field]] += amount

    def served(self, seconds: float) -> None:
        """A request, and its time."""
        self._cells[self._start + REQUESTS] += 1
        self.answered(seconds)

    def answered(self, seconds: float) -> None:
        """A request's time, from where the model ran."""
        self._cells[self._start + TOTAL_SECONDS] += seconds
        self._cells[self._start + LATENCY + bisect_left(BOUNDS, seconds)] += 1

    def fell(self, reason: str, seconds: float | None = None) -> None:
        """The primary answered instead, for one of FALLBACKS; `seconds` where some were spent on asking."""
        self.add(reason)
        self.failed(reason, seconds)

    def failed(self, reason: str, seconds: float | None) -> None:
        """The variant gave no answer, whoever then did."""
        if reason not in UNASKED:
            self.add("errors")
            if seconds is not None:
                self.answered(seconds)

    def compared(self, outcome: str, seconds: float, primary_seconds: float) -> None:
        """A mirrored request, and how long both took."""
        self.add(outcome)
        self.add("shadow_seconds", seconds)
        self.add("shadow_primary_seconds", primary_seconds)
        self._cells[self._start + SHADOW_LATENCY + bisect_left(COARSE, seconds)] += 1
        self._cells[self._start + SHADOW_PRIMARY_LATENCY + bisect_left(COARSE, primary_seconds)] += 1

    def judged(self, correct: bool, distance: float | None) -> None:
        """A prediction whose outcome became known; `distance` between the two where both are numbers."""
        self.add("feedback")
        self.add("correct", float(correct))
        if distance is not None:
            self.add("numeric")
            self.add("absolute_error", distance)


class Board:
    """The counters of all variants that this process knows of. One that is gone leaves its place when it is needed."""

    def __init__(self, tallies: Tallies) -> None:
        self._cells = tallies.cells
        self._known: dict[str, Counters] = {}
        self._wanted: set[str] = {PRIMARY}

    def expect(self, revision: str | None, names: Iterable[str]) -> None:
        """The table in force, and its variants."""
        self._cells[REVISION] = 0.0 if revision is None else key_of(revision)
        self._wanted = {PRIMARY, *names}
        self._known.clear()

    def of(self, name: str) -> Counters:
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = Counters(self._cells, self._place(name))
        return known

    def _place(self, name: str) -> int:
        key = key_of(name)
        starts = range(TRAFFIC, TRAFFIC + PLACES * SIZE, SIZE)
        keys = {self._cells[start]: start for start in starts}
        if key in keys:
            return keys[key]
        wanted = {key_of(other) for other in self._wanted}
        start = keys[0.0] if 0.0 in keys else next(start for held, start in keys.items() if held not in wanted)
        for cell in range(start, start + SIZE):
            self._cells[cell] = 0.0
        self._cells[start] = key
        return start


def key_of(name: str) -> float:
    """The number that stands for a name; not 0."""
    return float(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") % 2**KEY_BITS or 1)


class Counted:
    """One variant's, of all processes."""

    def __init__(self, cells: Sequence[float]) -> None:
        self._cells = cells

    def __getitem__(self, field: str) -> float:
        return self._cells[FIELD[field]]

    def count(self, field: str) -> int:
        return int(self[field])

    @property
    def latency(self) -> Sequence[float]:
        """A count for each of BOUNDS, and for more."""
        return self._cells[LATENCY:SHADOW_LATENCY]

    @property
    def coarse_latency(self) -> Sequence[float]:
        """The same for each of COARSE."""
        fine = self.latency
        first, rest, more = fine[:1], fine[1:-1], fine[-1:]
        doublings = [sum(rest[start : start + STEPS]) for start in range(0, len(rest), STEPS)]
        return [*first, *doublings, *more]

    @property
    def shadow_latency(self) -> Sequence[float]:
        return self._cells[SHADOW_LATENCY:SHADOW_PRIMARY_LATENCY]

    @property
    def shadow_primary_latency(self) -> Sequence[float]:
        return self._cells[SHADOW_PRIMARY_LATENCY:USED]


def counted(everyone: Iterable[Tallies], names: Iterable[str]) -> dict[str, Counted]:
    """What all processes counted of the variants of these names."""
    totals = {key_of(name): [0.0] * SIZE for name in names}
    for tallies in everyone:
        cells = tallies.cells[TRAFFIC : TRAFFIC + PLACES * SIZE].tolist()
        for start in range(0, PLACES * SIZE, SIZE):
            total = totals.get(cells[start])
            if total is not None:
                totals[cells[start]] = [a + b for a, b in zip(total, cells[start : start + SIZE], strict=True)]
    return {name: Counted(totals[key_of(name)]) for name in names}


def agreed(everyone: Iterable[Tallies]) -> bool:
    """Whether all processes that are ready have the same table in force."""
    return len({one.cells[REVISION] for one in everyone if one.cells[READY]}) <= 1
