"""Metrics of the talk with the core."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class FederationMetrics:
    """Counters of calls and gauges of the state; wall gives seconds since the epoch."""

    def __init__(self, registry: CollectorRegistry, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._last_success: float | None = None
        self._requests = Counter(
            "mlneuron_federation_requests",
            "Calls to the federation core, by call and what became of them",
            ["call", "result"],
            registry=registry,
        )
        self._age = Gauge(
            "mlneuron_federation_last_success_age_seconds",
            "Seconds since the core last took a call; NaN before the first",
            registry=registry,
        )
        self._age.set_function(self._success_age)
        self._registered = Gauge(
            "mlneuron_federation_registered_neurons",
            "Neurons that are registered at the core and present in the cluster",
            registry=registry,
        )

    def called(self, call: str, result: str, *, success: bool) -> None:
        """Count one call."""
        self._requests.labels(call, result).inc()
        if success:
            self._last_success = self._wall()

    def registered(self, count: int) -> None:
        """Tell how many present neurons are registered."""
        self._registered.set(count)

    def _success_age(self) -> float:
        return float("nan") if self._last_success is None else self._wall() - self._last_success
