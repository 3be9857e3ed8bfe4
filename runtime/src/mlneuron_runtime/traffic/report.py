"""What the operator and Prometheus are told of the variants."""

from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from mlneuron_runtime.metrics import buckets
from mlneuron_runtime.tallies import Tallies
from mlneuron_runtime.traffic.counters import BOUNDS, COARSE, COMPARISONS, FALLBACKS, Counted, agreed, counted
from mlneuron_runtime.traffic.table import Variant
from mlneuron_runtime.traffic.traffic import Traffic


def stats(traffic: Traffic, everyone: Sequence[Tallies]) -> dict[str, Any]:
    """For /stats: cumulative, of all processes. `bounds` are seconds; latencies have a count for each, and for more."""
    table = traffic.table
    found = counted(everyone, names(traffic))
    return {
        "revision": None if table is None else table.revision,
        "problem": traffic.problem,
        "agreed": agreed(everyone),
        "bounds": [round(bound, 9) for bound in BOUNDS],
        "shadowBounds": [round(bound, 9) for bound in COARSE],
        "variants": {name: of_variant(traffic, name, one) for name, one in found.items()},
    }


def names(traffic: Traffic) -> list[str]:
    """This pod's own, and those that it knows."""
    return [traffic.identity.variant, *traffic.remotes]


def of_variant(traffic: Traffic, name: str, one: Counted) -> dict[str, Any]:
    told: dict[str, Any] = {
        "requests": one.count("requests"),
        "errors": one.count("errors"),
        "seconds": one["seconds"],
        "latency": whole(one.latency),
        "feedback": one.count("feedback"),
        "correct": one.count("correct"),
        "numeric": one.count("numeric"),
        "absoluteError": one["absolute_error"],
    }
    remote = traffic.remotes.get(name)
    if remote is not None:
        told["mode"] = remote.variant.mode
        told["circuit"] = remote.circuit.state
        told["fallback"] = {reason: one.count(reason) for reason in FALLBACKS}
        told["shadow"] = shadow(one)
    return told


def shadow(one: Counted) -> dict[str, Any]:
    return {
        **{outcome: one.count(outcome) for outcome in COMPARISONS},
        "seconds": one["shadow_seconds"],
        "primarySeconds": one["shadow_primary_seconds"],
        "latency": whole(one.shadow_latency),
        "primaryLatency": whole(one.shadow_primary_latency),
    }


def whole(counts: Sequence[float]) -> list[int]:
    return [int(count) for count in counts]


def metrics(traffic: Traffic, everyone: Sequence[Tallies]) -> Iterator[Metric]:
    """For /metrics."""
    found = counted(everyone, names(traffic))
    variants: dict[str, tuple[Variant, Counted]] = {
        name: (remote.variant, found[name]) for name, remote in traffic.remotes.items()
    }
    info = GaugeMetricFamily("mlneuron_traffic_info", "1 for the traffic table in force", labels=["revision"])
    if traffic.table is not None:
        info.add_metric([traffic.table.revision], 1)
    yield info
    yield from served(found)
    yield from feedback(found)
    fallback = CounterMetricFamily(
        "mlneuron_fallback", "Requests that the primary answered for a variant", labels=["variant", "reason"]
    )
    for name, (_variant, one) in variants.items():
        for reason in FALLBACKS:
            fallback.add_metric([name, reason], one[reason])
    yield fallback
    yield from mirrored({name: one for name, (variant, one) in variants.items() if variant.mode == "Shadow"})


def served(found: dict[str, Counted]) -> Iterator[Metric]:
    """Requests by whose subject they were of."""
    requests = CounterMetricFamily("mlneuron_variant_requests", "Requests assigned to a variant", labels=["variant"])
    errors = CounterMetricFamily("mlneuron_variant_errors", "Requests that the variant failed on", labels=["variant"])
    duration = HistogramMetricFamily(
        "mlneuron_variant_duration_seconds", "Time of a request where the model ran, without the hop",
        labels=["variant"],
    )  # fmt: skip
    for name, one in found.items():
        requests.add_metric([name], one["requests"])
        errors.add_metric([name], one["errors"])
        duration.add_metric([name], buckets(COARSE, one.coarse_latency), one["seconds"])
    yield from (requests, errors, duration)


def feedback(found: dict[str, Counted]) -> Iterator[Metric]:
    """Predictions whose outcomes became known."""
    told = CounterMetricFamily("mlneuron_feedback", "Outcomes told, by the prediction", labels=["variant", "outcome"])
    accuracy = GaugeMetricFamily("mlneuron_online_accuracy", "Of the predictions with an outcome", labels=["variant"])
    distance = GaugeMetricFamily(
        "mlneuron_online_absolute_error", "Mean, of the numeric predictions with an outcome", labels=["variant"]
    )
    for name, one in found.items():
        total, correct = one["feedback"], one["correct"]
        told.add_metric([name, "correct"], correct)
        told.add_metric([name, "incorrect"], total - correct)
        if total:
            accuracy.add_metric([name], correct / total)
        if one["numeric"]:
            distance.add_metric([name], one["absolute_error"] / one["numeric"])
    yield from (told, accuracy, distance)


def mirrored(found: dict[str, Counted]) -> Iterator[Metric]:
    """Requests that went to a shadow."""
    outcomes = CounterMetricFamily("mlneuron_shadow", "Mirrored requests, by outcome", labels=["variant", "outcome"])
    duration = HistogramMetricFamily(
        "mlneuron_shadow_duration_seconds", "Time of mirrored requests, at the shadow and at the primary",
        labels=["variant", "side"],
    )  # fmt: skip
    for name, one in found.items():
        for outcome in COMPARISONS:
            outcomes.add_metric([name, outcome], one[outcome])
        duration.add_metric([name, "variant"], buckets(COARSE, one.shadow_latency), one["shadow_seconds"])
        ours = buckets(COARSE, one.shadow_primary_latency)
        duration.add_metric([name, "primary"], ours, one["shadow_primary_seconds"])
    yield from (outcomes, duration)
