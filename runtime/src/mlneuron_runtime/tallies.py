"""What is counted, in one flat memory of float64 that another process may read while it is written.

A cell that grows is one increment, so that counting a request costs well under a microsecond; Prometheus' own types,
with their locks and labels, are made of the cells only when somebody asks (`metrics.py`). A server of several
processes lays the memory over shared pages, one a worker, and adds them up: nothing that a killed worker counted is
lost. Writers of the same cell take turns: the event loop, and the model's thread for its own cells. Only the standard
library is imported: the process that watches the others has to stay small.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 10_000)

WINDOW = 2048
"""Latest requests that p95 looks at: seconds of full load, so it tells the present."""

OUTCOMES = ("success", "client_error", "server_error")
PROTOCOLS = ("guide", "v1", "v2", "grpc")

UNEXPECTED = "Unexpected"
"""The reason of an error that is no RequestError: a defect of this server."""

REASONS = (
    "InvalidInput", "UnknownModel", "UnknownVersion", "UnknownPrediction", "TooManyRows", "NotReady", "Overloaded",
    "DeadlineExceeded", "ModelFailed", "BodyTooLarge", "UnsupportedBody", "MalformedBody", "SlowBody", "Disconnected",
    "NoRoute", "Unauthorized", "Unimplemented", "HeaderTooLarge", "TooManyConnections", UNEXPECTED,
)  # fmt: skip
"""The classes of errors, a bounded set."""

PRESENT = ("in_flight", "queue_depth", "ready", "connections", "pulse", "call", "pid")
"""What is, rather than has been: nothing of it outlives a process. `pulse` is when the event loop last had its turn,
once the model is loaded, and `call` since when a batch is at the model, both in seconds of some clock, 0: neither.
"""

PAYLOADS = ("payloads_sent", "payloads_unsent", "payloads_crowded_out")
"""Of the payload log: events that the sink took or did not, and exchanges that found its queue full."""

SCALARS = (
    "requests", *OUTCOMES, "reached_model", "predicted", "failed_rows", "timed", "seconds", "model_calls",
    "model_rows", "model_seconds", *PRESENT, "restarts", "past_cpu_seconds", *PAYLOADS,
    *(f"protocol:{name}" for name in PROTOCOLS), *(f"reason:{name}" for name in REASONS),
)  # fmt: skip

CELLS = {name: place for place, name in enumerate(SCALARS)}
_LATENCY = len(SCALARS)
_CALL_SECONDS = _LATENCY + len(SECONDS) + 1
_CALL_ROWS = _CALL_SECONDS + len(SECONDS) + 1
_RECENT = _CALL_ROWS + len(ROWS) + 1

TRAFFIC = _RECENT + WINDOW
"""Where the counters of variants begin, whose order `traffic/counters.py` knows."""
TRAFFIC_CELLS = 9 * 208 + 8

LENGTH = TRAFFIC + TRAFFIC_CELLS
BYTES = 8 * LENGTH

REQUESTS, REACHED, PREDICTED, FAILED_ROWS = (
    CELLS[n] for n in ("requests", "reached_model", "predicted", "failed_rows")
)
SUCCESS, CLIENT_ERROR, SERVER_ERROR = (CELLS[name] for name in OUTCOMES)
TIMED, TOTAL_SECONDS = CELLS["timed"], CELLS["seconds"]
CALLS, CALL_ROWS, CALL_SECONDS = CELLS["model_calls"], CELLS["model_rows"], CELLS["model_seconds"]
IN_FLIGHT, QUEUE_DEPTH, READY, CONNECTIONS, PULSE, CALL, PID = (CELLS[name] for name in PRESENT)
RESTARTS, PAST_CPU_SECONDS = CELLS["restarts"], CELLS["past_cpu_seconds"]
PAYLOADS_SENT, PAYLOADS_UNSENT, PAYLOADS_CROWDED_OUT = (CELLS[name] for name in PAYLOADS)
PROTOCOL = {name: CELLS[f"protocol:{name}"] for name in PROTOCOLS}
REASON = {name: CELLS[f"reason:{name}"] for name in REASONS}


class Tallies:
    """The cells of one process, `cells[REQUESTS] += 1` to count. `memory` is BYTES long, or fresh."""

    __slots__ = ("cells",)

    def __init__(self, memory: memoryview | None = None) -> None:
        self.cells: memoryview[float] = (memoryview(bytearray(BYTES)) if memory is None else memory).cast("d")

    def answered(self, seconds: float) -> None:
        """The time of one request that reached the model, queueing included."""
        cells = self.cells
        cells[_RECENT + int(cells[TIMED]) % WINDOW] = seconds
        cells[TIMED] += 1
        cells[TOTAL_SECONDS] += seconds
        cells[_LATENCY + bisect_left(SECONDS, seconds)] += 1

    def called(self, rows: int, seconds: float) -> None:
        """One call of the model."""
        cells = self.cells
        cells[CALLS] += 1
        cells[CALL_ROWS] += rows
        cells[CALL_SECONDS] += seconds
        cells[_CALL_ROWS + bisect_left(ROWS, rows)] += 1
        cells[_CALL_SECONDS + bisect_left(SECONDS, seconds)] += 1

    def ended(self) -> None:
        """The process that wrote here is no more: nothing of it is present."""
        for name in PRESENT:
            self.cells[CELLS[name]] = 0.0


class Sum:
    """What several processes counted, as of now."""

    def __init__(self, tallies: Iterable[Tallies]) -> None:
        read = [one.cells.tolist() for one in tallies]
        self._cells: list[float] = [sum(cells) for cells in zip(*(cells[:_RECENT] for cells in read), strict=True)]
        self._recent: list[float] = [
            seconds for cells in read for seconds in cells[_RECENT:TRAFFIC][: int(cells[TIMED])]
        ]

    def __getitem__(self, cell: int) -> float:
        return self._cells[cell]

    def count(self, cell: int) -> int:
        return int(self._cells[cell])

    @property
    def latency(self) -> Sequence[float]:
        """Requests by their seconds: a count for each of SECONDS, and for more."""
        return self._cells[_LATENCY:_CALL_SECONDS]

    @property
    def call_seconds(self) -> Sequence[float]:
        """Calls of the model by their seconds."""
        return self._cells[_CALL_SECONDS:_CALL_ROWS]

    @property
    def call_rows(self) -> Sequence[float]:
        """Calls of the model by their rows: a count for each of ROWS, and for more."""
        return self._cells[_CALL_ROWS:_RECENT]

    @property
    def success_rate(self) -> float:
        """Of predictions. 1.0 before the first: the guide's 0 would call an idle neuron ill."""
        total = self[PREDICTED] + self[FAILED_ROWS]
        return self[PREDICTED] / total if total else 1.0

    @property
    def average_ms(self) -> float:
        return 1000 * self[TOTAL_SECONDS] / self[TIMED] if self[TIMED] else 0.0

    @property
    def p95_ms(self) -> float | None:
        """Of the latest requests of each process; None before the first."""
        return percentile(sorted(self._recent), 0.95) * 1000 if self._recent else None


def percentile(ordered: Sequence[float], share: float) -> float:
    """Between the two values that stand around it."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
