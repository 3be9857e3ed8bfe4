"""The data plane: what is asked of the model, under every transport.

It validates against the model's signature, queues, predicts, times, counts, and knows no protocol: transports
decode inside `plane.request(…)`, ask it to `infer`, encode the `Answer`, and map `RequestError`s to their own errors.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from mlneuron_runtime import tallies
from mlneuron_runtime.answer import Answer
from mlneuron_runtime.batcher import Batcher, Failure, Piece, Waiting
from mlneuron_runtime.errors import (
    DeadlineExceeded,
    InvalidInput,
    ModelFailed,
    NotReady,
    RequestError,
    UnknownModel,
    UnknownVersion,
)
from mlneuron_runtime.health import health_score
from mlneuron_runtime.loading import Served
from mlneuron_runtime.settings import Config
from mlneuron_runtime.tallies import Sum
from mlneuron_runtime.telemetry import Telemetry
from mlneuron_runtime.tensors import Inputs, rows_of

if TYPE_CHECKING:
    from mlneuron_runtime.traffic.marks import Marks
    from mlneuron_runtime.traffic.traffic import Traffic

PRIMARY = "primary"
ONE_A_TURN = tallies.PROTOCOL["grpc"]
"""gRPC hands over one request in a turn of the event loop: there is no other to wait for."""

ALIASES = (None, "latest", PRIMARY)

NO_MODEL = "no model is loaded yet; send it again when /readyz answers 200"

GONE = -1.0


@dataclass(slots=True)
class DataPlane:
    """The model with its queue, and what is known of both. Lives on one event loop.

    `alone` says whether no other request is being worked on; a transport's server may know. `requests` is the kind of
    request where it is not the usual one. `traffic` is there where variants may compete, `marks` where one does.
    """

    config: Config
    telemetry: Telemetry = field(default_factory=Telemetry)
    clock: Callable[[], float] = time.perf_counter
    alone: Callable[[], bool] = lambda: False
    requests: "type[Request] | None" = None
    traffic: "Traffic | None" = None
    marks: "Marks | None" = None
    draining: bool = False
    in_flight: int = 0
    last_seen: float = 0.0
    _served: Served | None = None
    _batcher: Batcher | None = None

    def serve(self, served: Served) -> None:
        """Open for requests with a model that is loaded and warm. Called on the event loop."""
        self._batcher = Batcher(
            served.model.predict, self.config.batching, self.telemetry.called_model, self.clock, served.inline_rows
        )
        self._batcher.start()
        self._served = served

    def close(self) -> None:
        if self._batcher is not None:
            self._batcher.close()

    @property
    def served(self) -> Served | None:
        return self._served

    @property
    def batcher(self) -> Batcher:
        """The queue before the model, once one is served."""
        assert self._batcher is not None  # noqa: S101
        return self._batcher

    def limit(self, timeout: float | None) -> float:
        """Seconds that a request may wait for the model, of which its caller may have said fewer."""
        limit = self.config.serving.timeout_seconds
        return limit if timeout is None else min(limit, timeout)

    @property
    def loaded(self) -> bool:
        return self._served is not None

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here."""
        return self.loaded and not self.draining and self.works

    @property
    def works(self) -> bool:
        """Whether the process can work, or only a restart will mend it: its worker died, or hangs in the
        model.
        """
        if self._batcher is None:
            return True
        return self._batcher.alive and self._batcher.busy_seconds() < self.config.serving.longest_call_seconds

    @property
    def call_since(self) -> float:
        """When the call began that the model's thread is busy with, in the clock's seconds; 0 without one, GONE without
        a thread.
        """
        if self._batcher is None:
            return 0.0
        return self._batcher.busy_since if self._batcher.alive else GONE

    @property
    def queue_depth(self) -> int:
        return 0 if self._batcher is None else self._batcher.depth

    def note_present(self) -> None:
        """Bring the tallies of what is, rather than has been, up to date."""
        cells = self.telemetry.tallies.cells
        cells[tallies.QUEUE_DEPTH] = self.queue_depth
        cells[tallies.READY] = float(self.ready)

    def counted(self) -> Sum:
        """Everything counted so far, by all processes that serve."""
        self.note_present()
        return self.telemetry.counted()

    def health_score(self, counted: Sum) -> int:
        return health_score(counted, int(self.loaded))

    def request(self, protocol: int) -> "Request":
        """Around everything that one prediction request does, from its first byte: counts it by what came of
        it. `protocol` is one of `tallies.PROTOCOL`.
        """
        return (self.requests or Request)(self, protocol)

    def named(self, version: object) -> Served:
        """The served model, if that is what the caller names."""
        served = self._served
        if served is None:
            raise NotReady("server", NO_MODEL)
        if version in ALIASES or version == served.version or version == self.config.neuron.variant:
            return served
        available = f"available: {PRIMARY}, latest, {served.version}"
        if not isinstance(version, str):
            raise InvalidInput("model_version", f"model_version must be a string; {available}", version)
        raise UnknownVersion("model_version", f"model_version is not served here; {available}", version)

    def model(self, name: str, version: str | None = None) -> Served:
        """The served model, if a path or message names it and its version."""
        served = self._served
        if served is not None and name == served.name and not version:
            return served
        served = self.named(None)
        if name != served.name:
            raise UnknownModel("model", f"no model of this name is served here; available: {served.name}", name)
        return self.named(version or None)


class Request:
    """One prediction request, for a transport to ask with."""

    __slots__ = ("_plane", "_protocol", "_started", "failure")

    def __init__(self, plane: DataPlane, protocol: int) -> None:
        self._plane, self._protocol = plane, protocol
        self._started = 0.0
        self.failure: ModelFailed | None = None
        """Of a row, where the request is answered all the same."""

    def __enter__(self) -> "Request":
        self.enter()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.leave(error)

    def enter(self) -> None:
        self._plane.in_flight += 1
        self._plane.telemetry.received(self._protocol)

    def leave(self, error: BaseException | None) -> None:
        """The end, which every request that entered must come to."""
        plane = self._plane
        failure = self.failure if error is None else error
        if failure is None:
            plane.telemetry.succeeded()
        elif isinstance(failure, Exception):
            plane.telemetry.failed(failure)
        plane.telemetry.left()
        plane.in_flight -= 1
        plane.last_seen = plane.clock()

    async def infer(self, served: Served, inputs: Inputs, timeout: float | None = None) -> Answer:  # noqa: ASYNC109  # told in the error
        """What the model makes of rows that its signature accepted; of none it is not asked. Raises RequestError for
        what concerns all of them; `timeout` may shorten the configured one.
        """
        rows = rows_of(inputs)
        if not rows:
            return Answer(served, [], 0.0)
        plane, batcher = self._plane, self._plane.batcher
        self._started = plane.clock()
        plane.telemetry.reached_model()
        pieces = batcher.at_once(inputs) if self._protocol == ONE_A_TURN or plane.alone() else None
        if pieces is None:
            limit = plane.limit(timeout)
            try:
                pieces = await batcher.submit(inputs, limit)
            except TimeoutError as error:
                self.late(rows, limit, error)
            except RequestError:
                plane.telemetry.predicted(0, rows)  # rows without an answer count as failed, as the guide has it
                raise
        return self.answered(served, rows, pieces)

    def ask(self, inputs: Inputs, limit: float, waiting: Waiting) -> None:
        """Have somebody told what the model makes of rows, or that it is `late`, without a task that awaits it. Raises
        Overloaded before anything is counted.
        """
        self._plane.batcher.put(inputs, limit, waiting)
        self._started = self._plane.clock()
        self._plane.telemetry.reached_model()

    def answered(self, served: Served, rows: int, pieces: list[Piece]) -> Answer:
        """Count what became of the rows."""
        plane = self._plane
        seconds = plane.clock() - self._started
        bad = 0
        for piece in pieces:
            if isinstance(piece.outcome, Failure):
                bad += piece.size
        plane.telemetry.answered(rows - bad, bad, seconds)
        return Answer(served, pieces, seconds)

    def late(self, rows: int, limit: float, error: TimeoutError) -> NoReturn:
        """Rows that got no answer in time count as failed predictions, as the guide counts them."""
        self._plane.telemetry.answered(0, rows, limit)
        raise DeadlineExceeded(
            "server", f"the model did not answer within {limit:g} s (serving.timeoutSeconds); try again later"
        ) from error


def describe(served: Served) -> Mapping[str, object]:
    """The guide's `model_metadata` of the served model, and what the model tells of itself."""
    signature = served.model.signature
    return {
        "name": served.name,
        "version": served.version,
        "type": served.model.type,
        "framework": served.framework,
        "engine": served.engine,
        "acceleration": served.acceleration,
        "trained_at": None,
        "accuracy": None,
        "features": signature.features,
        "feature_names": None if signature.names is None else list(signature.names),
        "sha256": served.sha256,
        "loaded_at": served.loaded_at,
        **served.model.details,
    }
