"""What is counted when, in the tallies that /health, /stats and /metrics are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mlneuron_runtime import tallies
from mlneuron_runtime.batcher import Observed
from mlneuron_runtime.errors import RequestError
from mlneuron_runtime.tallies import Sum, Tallies


@dataclass(slots=True)
class Telemetry:
    """Counts each event once.

    Two units, kept apart: **requests** are what a client sends, **predictions** the rows in them that fitted the
    model.
    """

    tallies: Tallies = field(default_factory=Tallies)
    everyone: Sequence[Tallies] = ()
    """Of all processes that serve with this one, it included; empty: it serves alone."""

    def counted(self) -> Sum:
        """So far, by all of them."""
        return Sum(self.everyone or [self.tallies])

    def anyone_ready(self) -> bool:
        """Whether some process takes requests."""
        return any(one.cells[tallies.READY] for one in self.everyone or [self.tallies])

    def received(self, protocol: int) -> None:
        """A request's first byte; `protocol` is one of `tallies.PROTOCOL`."""
        cells = self.tallies.cells
        cells[tallies.REQUESTS] += 1
        cells[tallies.IN_FLIGHT] += 1
        cells[protocol] += 1

    def refused(self, error: RequestError) -> None:
        """A request that ended before it was one."""
        self.tallies.cells[tallies.REQUESTS] += 1
        self.failed(error)

    def left(self) -> None:
        """The request's end, whatever came of it."""
        self.tallies.cells[tallies.IN_FLIGHT] -= 1

    def succeeded(self) -> None:
        self.tallies.cells[tallies.SUCCESS] += 1

    def passed(self, protocol: int) -> None:
        """A request that another server answered for this one."""
        self.received(protocol)
        self.succeeded()
        self.left()

    def failed(self, error: BaseException) -> None:
        """A request that ends in an error, the caller's or the server's."""
        known = error if isinstance(error, RequestError) else None
        reason = tallies.UNEXPECTED if known is None else known.reason
        cells = self.tallies.cells
        cells[tallies.REASON.get(reason, tallies.REASON[tallies.UNEXPECTED])] += 1
        cells[tallies.CLIENT_ERROR if known is not None and known.client_fault else tallies.SERVER_ERROR] += 1

    def reached_model(self) -> None:
        self.tallies.cells[tallies.REACHED] += 1

    def answered(self, good: int, bad: int, seconds: float) -> None:
        """A request that reached the model: its rows by outcome, and how long they took."""
        self.predicted(good, bad)
        self.tallies.answered(seconds)

    def predicted(self, good: int, bad: int) -> None:
        """Rows by outcome."""
        cells = self.tallies.cells
        cells[tallies.PREDICTED] += good
        cells[tallies.FAILED_ROWS] += bad

    def called_model(self, call: Observed) -> None:
        """From wherever the model ran; never from two places at a time."""
        self.tallies.called(call.rows, call.seconds)
