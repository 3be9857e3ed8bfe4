"""What is counted, in one flat memory of float64 that another process may read while it is written.

A cell that grows is one increment, so that counting a request costs well under a microsecond; Prometheus' own types,
with their locks and labels, are made of the cells only when somebody asks (`metrics.py`). A server of several
processes lays the memory over shared pages, one a worker, and adds them up: nothing that a killed worker counted is
lost. Writers of the same cell take turns: the event loop, and the model's thread for its own cells.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 10_000)

WINDOW = 2048
"""Latest requests that p95 looks at: seconds of full load, so it tells the present."""

OUTCOMES = ("success", "client_error", "server_error")
PROTOCOLS = ("guide", "v1", "v2", "grpc")

UNEXPECTED = "Unexpected"
"""The reason of an error that is no RequestError: a defect of this server."""

REASONS = (
    "InvalidInput", "UnknownModel", "UnknownVersion", "TooManyRows", "NotReady", "Overloaded", "DeadlineExceeded",
    "ModelFailed", "BodyTooLarge", "UnsupportedBody", "MalformedBody", "SlowBody", "Disconnected", "NoRoute",
    "Unauthorized", "Unimplemented", "HeaderTooLarge", UNEXPECTED,
)  # fmt: skip
"""The classes of errors, a bounded set."""

SCALARS = (
    "requests", *OUTCOMES, "reached_model", "predicted", "failed_rows", "timed", "seconds", "model_calls",
    "model_rows", "model_seconds", "in_flight", "queue_depth", "ready",
    *(f"protocol:{name}" for name in PROTOCOLS), *(f"reason:{name}" for name in REASONS),
)  # fmt: skip

CELLS = {name: place for place, name in enumerate(SCALARS)}
_LATENCY = len(SCALARS)
_CALL_SECONDS = _LATENCY + len(SECONDS) + 1
_CALL_ROWS = _CALL_SECONDS + len(SECONDS) + 1
_RECENT = _CALL_ROWS + len(ROWS) + 1

LENGTH = _RECENT + WINDOW
BYTES = 8 * LENGTH

REQUESTS, REACHED, PREDICTED, FAILED_ROWS = (
    CELLS[n] for n in ("requests", "reached_model", "predicted", "failed_rows")
)
SUCCESS, CLIENT_ERROR, SERVER_ERROR = (CELLS[name] for name in OUTCOMES)
TIMED, TOTAL_SECONDS = CELLS["timed"], CELLS["seconds"]
CALLS, CALL_ROWS, CALL_SECONDS = CELLS["model_calls"], CELLS["model_rows"], CELLS["model_seconds"]
IN_FLIGHT, QUEUE_DEPTH, READY = CELLS["in_flight"], CELLS["queue_depth"], CELLS["ready"]
PROTOCOL = {name: CELLS[f"protocol:{name}"] for name in PROTOCOLS}
REASON = {name: CELLS[f"reason:{name}"] for name in REASONS}


class Tallies:
    """The cells of one process, `cells[REQUESTS] += 1` to count. `memory` is BYTES long, or fresh."""

    __slots__ = ("cells",)

    def __init__(self, memory: memoryview | None = None) -> None:
        self.cells = memoryview(bytearray(BYTES)).cast("d") if memory is None else memory.cast("d")

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


class Sum:
    """What several processes counted, as of now."""

    def __init__(self, tallies: Iterable[Tallies]) -> None:
        arrays = [np.array(one.cells) for one in tallies]
        self._cells = np.sum([array[:_RECENT] for array in arrays], axis=0)
        self._recent = np.concatenate([array[_RECENT:][: int(array[TIMED])] for array in arrays])

    def __getitem__(self, cell: int) -> float:
        return float(self._cells[cell])

    def count(self, cell: int) -> int:
        return int(self._cells[cell])

    @property
    def latency(self) -> Sequence[float]:
        """Requests by their seconds: a count for each of SECONDS, and for more."""
        return list(self._cells[_LATENCY:_CALL_SECONDS])

    @property
    def call_seconds(self) -> Sequence[float]:
        """Calls of the model by their seconds."""
        return list(self._cells[_CALL_SECONDS:_CALL_ROWS])

    @property
    def call_rows(self) -> Sequence[float]:
        """Calls of the model by their rows: a count for each of ROWS, and for more."""
        return list(self._cells[_CALL_ROWS:_RECENT])

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
        return float(np.percentile(self._recent, 95)) * 1000 if len(self._recent) else None
