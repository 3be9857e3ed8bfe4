"""What is counted when: the one place that keeps `Stats` (for /health and /stats) and `Metrics` (Prometheus)
alike.
"""

from dataclasses import dataclass, field

from mlneuron_runtime.batcher import Observed
from mlneuron_runtime.errors import RequestError
from mlneuron_runtime.metrics import Metrics
from mlneuron_runtime.stats import Stats

UNEXPECTED = "Unexpected"
"""The reason of an error that is no RequestError: a defect of this server."""


@dataclass(slots=True)
class Telemetry:
    """Counts each event on both sides."""

    metrics: Metrics = field(default_factory=Metrics)
    stats: Stats = field(default_factory=Stats)

    def received(self) -> None:
        self.stats.requests += 1

    def succeeded(self) -> None:
        self.stats.successes += 1
        self.metrics.successes.inc()

    def failed(self, error: BaseException) -> None:
        """A request that ends in an error, the caller's or the server's."""
        known = error if isinstance(error, RequestError) else None
        self.metrics.errors.labels(UNEXPECTED if known is None else known.reason).inc()
        if known is not None and known.client_fault:
            self.metrics.client_errors.inc()
        else:
            self.stats.failures += 1
            self.metrics.server_errors.inc()

    def reached_model(self) -> None:
        self.metrics.prediction_requests.inc()

    def answered(self, good: int, bad: int, seconds: float) -> None:
        """A request that reached the model: its rows by outcome, and how long they took."""
        self.predicted(good, bad)
        self.stats.time(seconds)
        self.metrics.prediction_duration.observe(seconds)

    def predicted(self, good: int, bad: int) -> None:
        """Rows by outcome."""
        self.stats.predictions += good + bad
        self.stats.successful_predictions += good
        self.metrics.predicted.inc(good)
        self.metrics.failed.inc(bad)

    def called_model(self, call: Observed) -> None:
        """From the worker's thread, where Prometheus metrics are safe."""
        self.metrics.batch_rows.observe(call.rows)
        self.metrics.model_seconds.observe(call.seconds)
