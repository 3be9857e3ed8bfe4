"""Prometheus metrics, made of the tallies when they are asked for. The guide's four keep their names and labels; more
is told in more metrics (`mlneuron_…`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mlneuron_runtime import tallies
from mlneuron_runtime.tallies import Sum

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of the served model's metrics."""

    name: str
    version: str
    framework: str
    sha256: str
    engine: str


class Metrics(Collector):
    """Everything that port 9090 tells. `counted` adds up the processes, `labels` is None until a model is loaded,
    `processes` tells of the processes themselves (default: of this one), `others` of what else there is.
    """

    def __init__(
        self,
        counted: Callable[[], Sum],
        labels: Callable[[], Labels | None],
        processes: Collector | None = None,
        others: Callable[[], Iterator[Metric]] = lambda: iter(()),
    ) -> None:
        self._counted, self._labels, self._others = counted, labels, others
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self.registry.register(processes or ProcessCollector(registry=None))

    def exposition(self) -> bytes:
        return generate_latest(self.registry)

    def describe(self) -> list[Metric]:
        """Nothing to collide with, so nothing to collect at registration."""
        return []

    def collect(self) -> Iterator[Metric]:
        counted, labels = self._counted(), self._labels()
        yield from guide(counted, labels)
        yield from outcomes(counted)
        yield from calls(counted)
        yield from present(counted, labels)
        yield from self._others()


def guide(counted: Sum, labels: Labels | None) -> Iterator[Metric]:
    """The guide's own."""
    requests = CounterMetricFamily(
        "ml_prediction_requests", "Prediction requests that reached the model, whatever came of them",
        labels=["model_version"],
    )  # fmt: skip
    duration = HistogramMetricFamily(
        "ml_prediction_duration_seconds", "Time of a prediction request, queue included", labels=["model_version"]
    )
    accuracy = GaugeMetricFamily(
        "ml_model_accuracy", "Accuracy of the model, where it is known", labels=["model_name", "version"]
    )
    if labels is not None:
        requests.add_metric([labels.version], counted[tallies.REACHED])
        seconds = counted[tallies.TOTAL_SECONDS]
        duration.add_metric([labels.version], buckets(tallies.SECONDS, counted.latency), seconds)
    yield from (requests, duration, accuracy)
    yield GaugeMetricFamily("ml_active_models", "Models loaded and answering", value=float(labels is not None))


def outcomes(counted: Sum) -> Iterator[Metric]:
    """Requests and rows by what came of them."""
    yield labelled(
        "mlneuron_requests", "Requests by outcome: success, client_error, server_error", "outcome",
        {name: counted[tallies.CELLS[name]] for name in tallies.OUTCOMES},
    )  # fmt: skip
    yield labelled(
        "mlneuron_protocol_requests", "Requests by protocol", "protocol",
        {name: counted[cell] for name, cell in tallies.PROTOCOL.items()},
    )  # fmt: skip
    seen = {name: counted[cell] for name, cell in tallies.REASON.items() if counted[cell]}
    yield labelled("mlneuron_errors", "Requests refused or failed, by reason", "reason", seen)
    rows = {"success": counted[tallies.PREDICTED], "failure": counted[tallies.FAILED_ROWS]}
    yield labelled("mlneuron_predictions", "Rows predicted, by outcome", "outcome", rows)
    yield from payloads(counted)


def payloads(counted: Sum) -> Iterator[Metric]:
    """What became of the payload log."""
    sent = counted[tallies.PAYLOADS_SENT]
    dropped = {"queue_full": counted[tallies.PAYLOADS_CROWDED_OUT], "sink": counted[tallies.PAYLOADS_UNSENT]}
    yield CounterMetricFamily("mlneuron_payload_log_sent", "Events that the payload log's sink took", value=sent)
    yield labelled("mlneuron_payload_log_dropped", "Payloads lost, by where: queue_full, sink", "reason", dropped)


def calls(counted: Sum) -> Iterator[Metric]:
    """Single calls of the model."""
    rows = buckets(tallies.ROWS, counted.call_rows)
    yield HistogramMetricFamily("mlneuron_batch_rows", "Rows in one model call", rows, counted[tallies.CALL_ROWS])
    yield HistogramMetricFamily(
        "mlneuron_model_call_seconds", "Time of one model call, without the queue",
        buckets(tallies.SECONDS, counted.call_seconds), counted[tallies.CALL_SECONDS],
    )  # fmt: skip


def present(counted: Sum, labels: Labels | None) -> Iterator[Metric]:
    """What is, rather than what has been."""
    gauges = (
        ("mlneuron_requests_in_flight", "Requests being worked on", counted[tallies.IN_FLIGHT]),
        ("mlneuron_queue_depth", "Requests that wait for the model", counted[tallies.QUEUE_DEPTH]),
        ("mlneuron_ready", "1 while ready for requests", float(counted[tallies.READY] > 0)),
        ("mlneuron_workers_ready", "Processes that are ready for requests", counted[tallies.READY]),
    )
    for name, text, value in gauges:
        yield GaugeMetricFamily(name, text, value=value)
    yield CounterMetricFamily(
        "mlneuron_worker_restarts", "Processes that ended or hung, and were replaced", value=counted[tallies.RESTARTS]
    )
    info = GaugeMetricFamily(
        "mlneuron_model_info", "1 for the served model",
        labels=["model_name", "version", "framework", "sha256", "engine"],
    )  # fmt: skip
    if labels is not None:
        info.add_metric([labels.name, labels.version, labels.framework, labels.sha256, labels.engine], 1)
    yield info


def labelled(name: str, text: str, label: str, values: dict[str, float]) -> Metric:
    """A counter with one label."""
    family = CounterMetricFamily(name, text, labels=[label])
    for held, value in values.items():
        family.add_metric([held], value)
    return family


def buckets(bounds: Sequence[float], counts: Sequence[float]) -> list[tuple[str, float]]:
    """Cumulative, as Prometheus wants them."""
    names = [*(str(float(bound)) for bound in bounds), "+Inf"]
    return list(zip(names, accumulate(counts), strict=True))
