"""Prometheus metrics. The guide's four keep their names and labels; more is told in more metrics
(`mlneuron_…`).

Children are looked up once, at load, so that counting a request costs a few increments.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 10_000)


class Metrics:
    """Everything that port 9090 tells, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._define_guide()
        self._define_own()
        ProcessCollector(registry=self.registry)

    def _define_guide(self) -> None:
        registry = self.registry
        self._requests = Counter(
            "ml_prediction_requests", "Prediction requests that reached the model, whatever came of them",
            ["model_version"], registry=registry,
        )  # fmt: skip
        self._duration = Histogram(
            "ml_prediction_duration_seconds", "Time of a prediction request, queue included",
            ["model_version"], buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.accuracy = Gauge(
            "ml_model_accuracy",
            "Accuracy of the model, where it is known",
            ["model_name", "version"],
            registry=registry,
        )
        self.active_models = Gauge("ml_active_models", "Models loaded and answering", registry=registry)

    def _define_own(self) -> None:
        registry = self.registry
        self._outcomes = Counter(
            "mlneuron_requests", "Requests by outcome: success, client_error, server_error", ["outcome"],
            registry=registry,
        )  # fmt: skip
        self.successes = self._outcomes.labels("success")
        self.client_errors = self._outcomes.labels("client_error")
        self.server_errors = self._outcomes.labels("server_error")
        self.errors = Counter("mlneuron_errors", "Requests refused or failed, by reason", ["reason"], registry=registry)
        predictions = Counter("mlneuron_predictions", "Rows predicted, by outcome", ["outcome"], registry=registry)
        self.predicted, self.failed = predictions.labels("success"), predictions.labels("failure")
        self.in_flight = Gauge("mlneuron_requests_in_flight", "Requests being worked on", registry=registry)
        self.queue_depth = Gauge("mlneuron_queue_depth", "Requests that wait for the model", registry=registry)
        self.batch_rows = Histogram("mlneuron_batch_rows", "Rows in one model call", buckets=ROWS, registry=registry)
        self.model_seconds = Histogram(
            "mlneuron_model_call_seconds", "Time of one model call, without the queue", buckets=SECONDS,
            registry=registry,
        )  # fmt: skip
        self.ready = Gauge("mlneuron_ready", "1 while the process is ready for requests", registry=registry)
        self._info = Gauge(
            "mlneuron_model_info", "1 for the served model", ["model_name", "version", "framework", "sha256"],
            registry=registry,
        )  # fmt: skip

    def serve(self, name: str, version: str, framework: str, sha256: str) -> None:
        """The model is known: its series appear, at zero."""
        self.prediction_requests = self._requests.labels(version)
        self.prediction_duration = self._duration.labels(version)
        self._info.labels(name, version, framework, sha256).set(1)
        self.active_models.set(1)

    def watch(self, ready: Callable[[], bool], queue_depth: Callable[[], int], in_flight: Callable[[], int]) -> None:
        """Gauges that are asked when they are scraped."""
        self.ready.set_function(ready)
        self.queue_depth.set_function(queue_depth)
        self.in_flight.set_function(in_flight)

    def exposition(self) -> bytes:
        return generate_latest(self.registry)
