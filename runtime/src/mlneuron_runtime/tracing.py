"""OpenTelemetry traces: a span a request, within it one for the wait for the model and its call.

Only imported where the standard OTEL_* variables ask for traces (`settings.traces`), since nothing else needs
OpenTelemetry. The SDK reads those variables itself: sampler, endpoint, headers, limits, propagators.
"""

import atexit
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from mlneuron_runtime import log
from mlneuron_runtime.answer import Answer
from mlneuron_runtime.dataplane import DataPlane, Request
from mlneuron_runtime.errors import RequestError
from mlneuron_runtime.loading import Served
from mlneuron_runtime.settings import Config, Exporter
from mlneuron_runtime.tensors import Inputs, rows_of

FLUSH_SECONDS = 2.0
"""How long a process that leaves waits for its last spans to be taken."""

UNNAMED = "unknown_service"
"""What the SDK calls a service whose name no variable tells."""

EXPORTING = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk._shared_internal")
"""Loggers that tell of each attempt to reach a collector that is away."""

SILENCE_SECONDS = 60.0

Attributes = Mapping[str, str | int | bool]


class OnceAMinute(logging.Filter):
    """Lets a line pass only after a minute without. `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._told: float | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        now = self._clock()
        if self._told is not None and now - self._told < SILENCE_SECONDS:
            return False
        self._told = now
        return True


class Tracing:
    """The spans of one process."""

    def __init__(self, exporter: SpanExporter, config: Config) -> None:
        self._provider = TracerProvider(resource=resource(config), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer = self._provider.get_tracer("mlneuron_runtime")
        self._leaving = threading.Event()
        self._closer = threading.Thread(target=self._close, name="traces", daemon=True)
        self._closer.start()
        atexit.register(self.close)
        for name in EXPORTING:
            logging.getLogger(name).addFilter(OnceAMinute())

    @classmethod
    def into(cls, exporter: Exporter, config: Config) -> "Tracing":
        if exporter == "console":
            return cls(ConsoleSpanExporter(formatter=lambda span: span.to_json(indent=None) + "\n"), config)
        return cls(OTLPSpanExporter(), config)

    @contextmanager
    def request(self, name: str, carrier: Mapping[str, Sequence[str]], attributes: Attributes) -> Iterator[Span]:
        """Around one request. `carrier` is its headers or metadata, which may hold the caller's trace."""
        context: Context = propagate.extract(carrier)
        with self.tracer.start_as_current_span(
            name, context, SpanKind.SERVER, attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            log.trace_id.set(trace.format_trace_id(span.get_span_context().trace_id))
            yield span

    def passed_on(self) -> dict[str, str]:
        """The headers by which whoever is called next joins the present trace."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        return carrier

    def flush(self) -> None:
        """Send what has ended so far. Blocks."""
        self._provider.force_flush()

    def close(self) -> None:
        """Send the last spans, unless the collector is slow. A thread cannot be started once a process leaves, so the
        one that does it has been waiting.
        """
        atexit.unregister(self.close)
        self._leaving.set()
        self._closer.join(FLUSH_SECONDS)

    def _close(self) -> None:
        self._leaving.wait()
        self._provider.shutdown()


class TracedRequest(Request):
    """A data plane's request with a span around the model; `tracing` is set on a subclass by `traced`."""

    __slots__ = ()
    tracing: Tracing

    async def infer(self, served: Served, inputs: Inputs, timeout: float | None = None) -> Answer:  # noqa: ASYNC109
        rows = rows_of(inputs)
        around = trace.get_current_span()
        around.set_attribute("mlneuron.rows", rows)
        around.set_attribute("mlneuron.model.version", served.version)
        with self.tracing.tracer.start_as_current_span(
            "model", attributes={"mlneuron.rows": rows, "mlneuron.engine": served.engine},
            record_exception=False, set_status_on_exception=False,
        ) as span:  # fmt: skip
            try:
                answer = await super().infer(served, inputs, timeout)
            except RequestError as error:
                ended(span, error)
                raise
            span.set_attribute("mlneuron.batch.rows", batch_rows(answer))
            if answer.failure is not None:
                span.set_status(StatusCode.ERROR)
            return answer


def traced(plane: DataPlane, tracing: Tracing) -> None:
    """Let the plane's requests have spans."""
    plane.requests = type("TracedRequest", (TracedRequest,), {"__slots__": (), "tracing": tracing})


def batch_rows(answer: Answer) -> int:
    """Rows in the call that answered the first row; 1 where that raised, which stood alone then."""
    if not answer.pieces:
        return 0
    outcome = answer.pieces[0].outcome
    return len(getattr(outcome, "values", (None,)))


def ended(span: Span, error: Exception) -> None:
    """Tell what kind of error ended a request; its text may hold what was asked."""
    span.set_attribute("error.type", type(error).__name__)


def failed(span: Span) -> None:
    """The server's fault."""
    span.set_status(Status(StatusCode.ERROR))


def resource(config: Config) -> Resource:
    """Who speaks: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, else the neuron."""
    told = Resource.create({"mlneuron.namespace": config.neuron.namespace, "mlneuron.name": config.neuron.name})
    if str(told.attributes.get(SERVICE_NAME, UNNAMED)).startswith(UNNAMED):
        return told.merge(Resource({SERVICE_NAME: config.neuron.name}))
    return told
