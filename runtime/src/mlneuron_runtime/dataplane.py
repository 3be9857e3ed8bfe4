"""The data plane: what is asked of the model, under every transport.

It validates against the model's signature, queues, predicts, times, counts, and knows no protocol: transports
decode a request inside `request()`, ask it to `predict` or `predict_batch`, and map `RequestError`s to their
own errors.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from mlneuron_runtime.batcher import Batcher, Failure, Piece
from mlneuron_runtime.errors import (
    DeadlineExceeded,
    InvalidInput,
    ModelFailed,
    NotReady,
    RequestError,
    UnknownVersion,
)
from mlneuron_runtime.loading import Served
from mlneuron_runtime.settings import Config
from mlneuron_runtime.signature import Rows
from mlneuron_runtime.telemetry import Telemetry

log = structlog.get_logger()

PRIMARY = "primary"
ALIASES = (None, "latest", PRIMARY)

NO_MODEL = "no model is loaded yet; send it again when /readyz answers 200"

STUCK_FACTOR = 3
STUCK_SECONDS = 60.0
"""A single model call longer than this, and than three deadlines, will not end: the process needs a
restart.
"""


@dataclass(frozen=True, slots=True)
class Answered:
    """One row's prediction as JSON values. `confidence` is None where the model gives none."""

    prediction: Any
    confidence: float | None


Outcome = Answered | RequestError


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's outcomes, a row each, in the order asked; `seconds` includes the queue."""

    outcomes: Sequence[Outcome]
    version: str
    seconds: float


@dataclass(slots=True)
class DataPlane:
    """The model with its queue, and what is known of both. Lives on one event loop."""

    config: Config
    telemetry: Telemetry = field(default_factory=Telemetry)
    clock: Callable[[], float] = time.perf_counter
    draining: bool = False
    in_flight: int = 0
    last_seen: float = 0.0
    _served: Served | None = None
    _batcher: Batcher | None = None

    def __post_init__(self) -> None:
        self.telemetry.metrics.watch(lambda: self.ready, lambda: self.queue_depth, lambda: self.in_flight)

    def serve(self, served: Served) -> None:
        """Open for requests with a model that is loaded and warm. Called on the event loop."""
        self._batcher = Batcher(served.model.predict, self.config.batching, self.telemetry.called_model, self.clock)
        self._batcher.start()
        self.telemetry.metrics.serve(served.name, served.version, served.framework, served.sha256)
        self._served = served

    def close(self) -> None:
        if self._batcher is not None:
            self._batcher.close()

    @property
    def served(self) -> Served | None:
        return self._served

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
        limit = max(STUCK_SECONDS, STUCK_FACTOR * self.config.serving.timeout_seconds)
        return self._batcher.alive and self._batcher.busy_seconds() < limit

    @property
    def queue_depth(self) -> int:
        return 0 if self._batcher is None else self._batcher.depth

    @property
    def health_score(self) -> int:
        return self.telemetry.stats.health_score(int(self.loaded))

    @contextmanager
    def request(self) -> Iterator["Request"]:
        """Around everything that one prediction request does, from its first byte: counts it by what came of
        it.
        """
        self.in_flight += 1
        self.telemetry.received()
        request = Request(self)
        try:
            yield request
            if request.failure is None:
                self.telemetry.succeeded()
            else:
                self.telemetry.failed(request.failure)
        except Exception as error:
            self.telemetry.failed(error)
            raise
        finally:
            self.in_flight -= 1
            self.last_seen = self.clock()

    def named(self, version: object) -> Served:
        """The served model, if that is what the caller names."""
        served = self._served
        if served is None:
            raise NotReady("server", NO_MODEL)
        if version in ALIASES or version == served.version:
            return served
        available = f"available: {PRIMARY}, latest, {served.version}"
        if not isinstance(version, str):
            raise InvalidInput("model_version", f"model_version must be a string; {available}", version)
        raise UnknownVersion("model_version", f"model_version is not served here; {available}", version)

    async def run(self, rows: Rows, version: str) -> Answer:
        """An outcome for every row of a request: the model's for those that fit, their fault for the
        others.
        """
        started = self.clock()
        outcomes: dict[int, Outcome] = dict(rows.faults)
        if len(rows.values):
            pieces = await self._submit(rows)
            outcomes.update(zip(rows.positions, unfold(pieces), strict=True))
        seconds = self.clock() - started
        if len(rows.values):
            bad = sum(piece.size for piece in pieces if isinstance(piece.outcome, Failure))
            self.telemetry.answered(len(rows.values) - bad, bad, seconds)
        return Answer([outcomes[position] for position in range(rows.total)], version, seconds)

    async def _submit(self, rows: Rows) -> list[Piece]:
        """The model's pieces; rows that get none count as failed predictions, as the guide counts them."""
        batcher = self._batcher
        if batcher is None:
            raise NotReady("server", NO_MODEL)
        timeout = self.config.serving.timeout_seconds
        self.telemetry.reached_model()
        try:
            return await batcher.submit(rows.values, timeout)
        except TimeoutError as error:
            self.telemetry.answered(0, len(rows.values), timeout)
            raise DeadlineExceeded(
                "server",
                f"the model did not answer within {timeout:g} s (serving.timeoutSeconds); try again later",
            ) from error
        except RequestError:
            self.telemetry.predicted(0, len(rows.values))
            raise


@dataclass(slots=True)
class Request:
    """One prediction request, for a transport to ask with. `failure` is the first row's that the model raised
    on.
    """

    plane: DataPlane
    failure: ModelFailed | None = None

    async def predict(self, features: object, version: object = None) -> tuple[Answered, Answer]:
        """One row: its answer and the request's. Raises RequestError."""
        served = self.plane.named(version)
        answer = await self.plane.run(served.model.signature.row(features), served.version)
        outcome = answer.outcomes[0]
        if isinstance(outcome, RequestError):
            raise outcome
        return outcome, answer

    async def predict_batch(self, batch: object, version: object = None) -> Answer:
        """Many rows, each with its own outcome. Raises RequestError for what concerns all of them."""
        served = self.plane.named(version)
        answer = await self.plane.run(served.model.signature.rows(batch), served.version)
        failed = [outcome for outcome in answer.outcomes if isinstance(outcome, ModelFailed)]
        if failed:
            self.failure = failed[0]
            log.error("model raised on rows of a batch", rows=len(failed), exc_info=failed[0].__cause__)
        return answer


def unfold(pieces: Sequence[Piece]) -> Iterator[Outcome]:
    """One outcome a row, as JSON values."""
    for piece in pieces:
        if isinstance(piece.outcome, Failure):
            failed = ModelFailed("model", "the model failed on this input; the server's log has the cause")
            failed.__cause__ = piece.outcome.error
            yield from [failed] * piece.size
            continue
        values = piece.outcome.values.tolist()
        confidence = piece.outcome.confidence
        confidences = [None] * piece.size if confidence is None else confidence.tolist()
        yield from map(Answered, values, confidences)


def describe(served: Served) -> Mapping[str, object]:
    """The guide's `model_metadata` of the served model, and what the model tells of itself."""
    signature = served.model.signature
    return {
        "name": served.name,
        "version": served.version,
        "type": served.model.type,
        "framework": served.framework,
        "trained_at": None,
        "accuracy": None,
        "features": signature.features,
        "feature_names": None if signature.names is None else list(signature.names),
        "sha256": served.sha256,
        "loaded_at": served.loaded_at,
        **served.model.details,
    }
