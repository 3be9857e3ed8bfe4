"""The columns of ``kubectl get``, for each kind."""

from typing import Any

Column = dict[str, Any]


def neuron_columns() -> list[Column]:
    """Of an ``MLNeuron``."""
    return [
        _column("Ready", _condition("Ready", "status"), "Whether the model answers."),
        _column("Reason", ".status.summary.reason", "Why it is as it is, in one word."),
        _column("Replicas", ".status.summary.replicas", "Ready of wanted pods."),
        _column("Version", ".status.model.version", "Version that is served."),
        _column("Health", ".status.health.score", "Health score, 0 to 100.", kind="integer"),
        _column("Traffic", ".status.summary.traffic", "Share of each model in the traffic."),
        _column("Federation", _condition("FederationReady", "reason"), "State at the federation core."),
        _column("Age", ".metadata.creationTimestamp", "", kind="date"),
        _column("Model", ".spec.model.uri", "Where the model is.", wide=True),
        _column("URL", ".status.url", "Where the neuron answers inside the cluster.", wide=True),
    ]


def variant_columns() -> list[Column]:
    """Of a ``ModelVariant``."""
    return [
        _column("Neuron", ".spec.neuron", "The neuron that it is a variant of."),
        _column("Mode", ".spec.mode", "Whether it answers subjects, or shadows the primary."),
        _column("Traffic", ".status.summary.traffic", "Share in effect, in percent."),
        _column("Step", ".status.summary.step", "Step of the rollout."),
        _column("Verdict", ".status.summary.verdict", "What the counters say so far."),
        _column("Ready", _condition("Ready", "status"), "Whether the model answers."),
        _column("Age", ".metadata.creationTimestamp", "", kind="date"),
        _column("Reason", ".status.summary.reason", "Why it is as it is, in one word.", wide=True),
        _column("Replicas", ".status.summary.replicas", "Ready of wanted pods.", wide=True),
        _column("Version", ".status.model.version", "Version that is served.", wide=True),
        _column("Model", ".spec.model.uri", "Where the model is.", wide=True),
    ]


def _condition(type_: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{type_}")].{field}'


def _column(name: str, path: str, text: str, *, kind: str = "string", wide: bool = False) -> Column:
    column: Column = {"name": name, "type": kind, "jsonPath": path}
    return column | ({"description": text} if text else {}) | ({"priority": 1} if wide else {})
