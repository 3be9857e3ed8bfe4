"""What the operator tells of itself to Prometheus."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The operator's metrics in a registry of their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._requests = Counter(
            "mlneuron_operator_api_requests_total",
            "Requests to the Kubernetes API server.",
            ["verb", "resource", "code"],
            registry=registry,
        )
        self._latency = Histogram(
            "mlneuron_operator_api_request_duration_seconds",
            "Duration of requests to the Kubernetes API server.",
            ["verb"],
            buckets=_LATENCY,
            registry=registry,
        )
        self._reconciles = Counter(
            "mlneuron_operator_reconciles_total", "Reconciliations by outcome.", ["outcome"], registry=registry
        )
        self._reconcile_latency = Histogram(
            "mlneuron_operator_reconcile_duration_seconds",
            "Duration of a reconciliation.",
            buckets=_LATENCY,
            registry=registry,
        )
        self.leader = Gauge("mlneuron_operator_leader", "1 while this process is the leader.", registry=registry)

    def api_request(self, verb: str, resource: str, code: str, seconds: float) -> None:
        """A request to the API server ended; code is ``error`` where no answer came."""
        self._requests.labels(verb, resource, code).inc()
        self._latency.labels(verb).observe(seconds)

    def reconciled(self, outcome: str, seconds: float) -> None:
        """A reconciliation ended."""
        self._reconciles.labels(outcome).inc()
        self._reconcile_latency.observe(seconds)

    def gauge(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """A gauge that is read when it is scraped."""
        Gauge(f"mlneuron_operator_{name}", help_text, registry=self.registry).set_function(read)
