"""What status says alike of a neuron and of a variant: whether it serves, what it has loaded, how well it is; pure."""

from collections.abc import Sequence
from typing import Any, Final

from .api.status import RUNTIME_REASONS, ConditionType, Reason
from .conditions import Draft
from .desired.access import url
from .health import NOTHING_SERVES, Health, Sample, health_of, lately, warnings_of
from .observation import is_ready
from .verdict import Situation, Verdict

Object = dict[str, Any]

RECENTLY: Final = ("requests", "errorRate", "p95Milliseconds")
"""Keys of ``status.health`` about the last minutes."""


def readiness(situation: Situation, found: Verdict | None, ready: int) -> list[Draft]:
    """Ready, and Reconciling or Stalled while it holds (kstatus)."""
    drafts = [_ready(situation, found, ready)]
    if found is not None and found.stalled:
        drafts.append(Draft(ConditionType.STALLED, "True", found.reason, found.message))
    elif found is not None:
        drafts.append(Draft(ConditionType.RECONCILING, "True", found.reason, found.message))
    return drafts


def _ready(situation: Situation, found: Verdict | None, ready: int) -> Draft:
    if ready:
        message = f"{ready} of {situation.wanted} pods serve at {url(situation.workload)}"
        if found is not None and found.stalled:
            message += f"; what is now wanted does not come up: {found.message}"
        return Draft(ConditionType.READY, "True", Reason.SERVING, message)
    if found is not None and found.stalled:
        return Draft(ConditionType.READY, "False", found.reason, found.message)
    if situation.wanted == 0:
        return Draft(ConditionType.READY, "False", Reason.SCALED_TO_ZERO, "spec.replicas is 0, so nothing serves")
    reason, message = (found.reason, found.message) if found else (Reason.CREATING, "no pod is ready yet")
    return Draft(ConditionType.READY, "Unknown", reason, message)


def model_loaded(situation: Situation, found: Verdict | None) -> Draft:
    """Whether the newest revision's model is loaded: a pod is ready only once it has answered an inference."""
    if any(is_ready(pod) for pod in situation.current_pods):
        return Draft(ConditionType.MODEL_LOADED, "True", Reason.MODEL_LOADED, "loaded and answered an inference")
    if found is not None and found.reason in RUNTIME_REASONS:
        return Draft(ConditionType.MODEL_LOADED, "False", found.reason, found.message)
    return Draft(ConditionType.MODEL_LOADED, "Unknown", Reason.MODEL_LOADING, "no pod has loaded it yet")


def warned(situation: Situation, samples: Sequence[Sample], previous: Object) -> list[Draft]:
    """What the pods warn of; what they did before, while ready ones have not told anything yet."""
    if samples:
        warnings = warnings_of(samples)
        message = "; ".join(warning.message for warning in warnings)
        return [Draft(ConditionType.MODEL_WARNING, "True", warnings[0].reason, message)] if warnings else []
    if not situation.observation.ready_pods:
        return []
    return as_before(ConditionType.MODEL_WARNING, previous)


def as_before(kind: ConditionType, previous: Object) -> list[Draft]:
    return [
        Draft(kind, item["status"], item["reason"], item["message"])
        for item in previous.get("conditions", ())
        if item["type"] == kind
    ]


def loaded_model(situation: Situation, samples: Sequence[Sample], previous: Object) -> Object:
    """The model as a pod told it; as it was known before, or as asked for, while none has."""
    neuron = situation.workload
    sample = samples[0] if samples else None
    known = previous.get("model", {}) if previous.get("observedGeneration") == neuron.generation else {}
    loaded = {
        "version": sample.version if sample else known.get("version", neuron.spec.model.version),
        "digest": sample.digest if sample else known.get("digest", neuron.spec.model.sha256),
        "framework": neuron.spec.model.resolved_framework(),
        "engine": sample.engine if sample else known.get("engine"),
        "engineReason": sample.engine_reason if sample else known.get("engineReason"),
    }
    return {name: value for name, value in loaded.items() if value}


def health(samples: Sequence[Sample], serving: bool, previous: Object) -> Object | None:
    """The pods' health, and what they did lately; the last known while ready pods have not told any, and the worst once
    none is left."""
    known: Object | None = previous.get("health")
    if not serving:
        return _written(NOTHING_SERVES) if known else None
    found = health_of(samples)
    return {**_written(found), **_lately(samples, known or {})} if found else known


def _written(health: Health) -> Object:
    written: Object = {"score": health.score, "status": health.status}
    return {**written, "message": health.message} if health.message else written


def _lately(samples: Sequence[Sample], known: Object) -> Object:
    """As it is known, until the pods were watched for long enough."""
    found = lately(samples)
    if found is None:
        return {name: known[name] for name in RECENTLY if name in known}
    rate = round(found.failures / found.requests, 4) if found.requests else 0.0
    told = {"requests": found.requests, "errorRate": rate}
    return told if found.p95_ms is None else {**told, "p95Milliseconds": round(found.p95_ms, 3)}
