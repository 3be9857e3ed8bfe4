"""Prometheus' `process_*` of all processes of a server together, so that they do not depend on which one answers.

CPU time goes on where a worker ended, memory is the sum of what each has resident (pages that they share count once in
each), `max_fds` is that of one process.
"""

import os
from collections.abc import Iterable, Sequence

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mlneuron_runtime import tallies
from mlneuron_runtime.tallies import Tallies

OF_ONE = {"process_max_fds": min, "process_start_time_seconds": min}
"""How several become one, where that is not their sum."""


class Processes(Collector):
    """The workers of `slots`, and the supervisor that started them."""

    def __init__(self, slots: Sequence[Tallies]) -> None:
        self._slots = slots

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        past = sum(one.cells[tallies.PAST_CPU_SECONDS] for one in self._slots)
        workers = [int(one.cells[tallies.PID]) for one in self._slots]
        found: dict[str, Metric] = {}
        values: dict[str, list[float]] = {}
        for pid in (os.getppid(), *filter(None, workers)):
            for metric in of_process(pid):
                found.setdefault(metric.name, metric)
                values.setdefault(metric.name, []).append(metric.samples[0].value)
        for name, metric in found.items():
            value = OF_ONE.get(name, sum)(values[name])
            yield with_value(metric, value + past if isinstance(metric, CounterMetricFamily) else value)


def of_process(pid: int) -> Iterable[Metric]:
    return ProcessCollector(pid=lambda: pid, registry=None).collect()


def with_value(metric: Metric, value: float) -> Metric:
    """The same metric with another value."""
    metric.samples = [metric.samples[0]._replace(value=value)]
    return metric
