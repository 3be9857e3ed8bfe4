"""The whole status of a neuron, computed anew each time from what is observed; pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .api.names import PRIMARY, selector_labels
from .api.status import RUNTIME_REASONS, ConditionType, Reason
from .conditions import ConditionStatus, Draft, settle
from .desired.access import url
from .federation.state import REFRESH_SECONDS, FederationReason, FederationState
from .health import NOTHING_SERVES, Health, Sample, health_of, warnings_of
from .observation import is_ready
from .verdict import Situation, Verdict, verdict

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What the pods and the core told, beside what Kubernetes knows."""

    samples: Sequence[Sample] = field(default=())
    """Of ready pods of the newest revision, or of any ready pod while that has none."""
    federated: bool = False
    """Whether the neuron is to be reported to the core."""
    federation: FederationState | None = None
    """None while the reporter has not spoken yet; what it said before a restart then stays."""


def derive(situation: Situation, told: Told, previous: Object, now: str) -> Object:
    """The status to write; ``previous`` is the one that stands, ``now`` an RFC 3339 time."""
    neuron, ready = situation.neuron, len(situation.observation.ready_pods)
    found = verdict(situation)
    live = situation.deployment
    drafts = [
        *_readiness(situation, found, ready),
        _model(situation, found),
        *_warned(situation, told, previous),
        *_reported(told, previous),
    ]
    serving = ready > 0
    status: Object = {
        "observedGeneration": neuron.generation,
        "conditions": settle(drafts, previous.get("conditions", ()), neuron.generation, now),
        "replicas": live["status"].get("replicas", 0) if live else 0,
        "readyReplicas": ready,
        "selector": ",".join(f"{name}={value}" for name, value in sorted(selector_labels(neuron.name).items())),
        "url": url(neuron),
        "model": _loaded(situation, told, previous),
        "traffic": [{"variant": PRIMARY, "percent": 100}] if serving else [],
        "summary": {
            "reason": str(found.reason if found else drafts[0].reason),
            "replicas": f"{ready}/{situation.wanted}",
            "traffic": f"{PRIMARY}=100" if serving else "none",
        },
    }
    health = _health(told, serving, previous)
    if health is not None:
        status["health"] = health
    entry = _entry(told, previous)
    if entry is not None:
        status["federation"] = entry
    return status


def _readiness(situation: Situation, found: Verdict | None, ready: int) -> list[Draft]:
    """Ready, and Reconciling or Stalled while it holds (kstatus)."""
    drafts = [_ready(situation, found, ready)]
    if found is not None and found.stalled:
        drafts.append(Draft(ConditionType.STALLED, "True", found.reason, found.message))
    elif found is not None:
        drafts.append(Draft(ConditionType.RECONCILING, "True", found.reason, found.message))
    return drafts


def _ready(situation: Situation, found: Verdict | None, ready: int) -> Draft:
    if ready:
        message = f"{ready} of {situation.wanted} pods serve at {url(situation.neuron)}"
        if found is not None and found.stalled:
            message += f"; the neuron as it is now wanted does not come up: {found.message}"
        return Draft(ConditionType.READY, "True", Reason.SERVING, message)
    if found is not None and found.stalled:
        return Draft(ConditionType.READY, "False", found.reason, found.message)
    if situation.wanted == 0:
        return Draft(ConditionType.READY, "False", Reason.SCALED_TO_ZERO, "spec.replicas is 0, so nothing serves")
    reason, message = (found.reason, found.message) if found else (Reason.CREATING, "no pod is ready yet")
    return Draft(ConditionType.READY, "Unknown", reason, message)


def _model(situation: Situation, found: Verdict | None) -> Draft:
    """Whether the newest revision's model is loaded: a pod is ready only once it has answered an inference."""
    if any(is_ready(pod) for pod in situation.current_pods):
        return Draft(ConditionType.MODEL_LOADED, "True", Reason.MODEL_LOADED, "loaded and answered an inference")
    if found is not None and found.reason in RUNTIME_REASONS:
        return Draft(ConditionType.MODEL_LOADED, "False", found.reason, found.message)
    return Draft(ConditionType.MODEL_LOADED, "Unknown", Reason.MODEL_LOADING, "no pod has loaded it yet")


def _warned(situation: Situation, told: Told, previous: Object) -> list[Draft]:
    """What the pods warn of; what they did before, while ready ones have not told anything yet."""
    if told.samples:
        warnings = warnings_of(told.samples)
        message = "; ".join(warning.message for warning in warnings)
        return [Draft(ConditionType.MODEL_WARNING, "True", warnings[0].reason, message)] if warnings else []
    if not situation.observation.ready_pods:
        return []
    return _as_before(ConditionType.MODEL_WARNING, previous)


def _as_before(kind: ConditionType, previous: Object) -> list[Draft]:
    return [
        Draft(kind, item["status"], item["reason"], item["message"])
        for item in previous.get("conditions", ())
        if item["type"] == kind
    ]


def _reported(told: Told, previous: Object) -> list[Draft]:
    if not told.federated:
        return []
    state = told.federation
    if state is not None:
        holds: dict[bool | None, ConditionStatus] = {True: "True", False: "False", None: "Unknown"}
        return [Draft(ConditionType.FEDERATION_READY, holds[state.ready], state.reason, state.message)]
    unheard = Draft(ConditionType.FEDERATION_READY, "Unknown", FederationReason.REGISTERING, "not reported yet")
    return _as_before(ConditionType.FEDERATION_READY, previous) or [unheard]


def _loaded(situation: Situation, told: Told, previous: Object) -> Object:
    """The model as a pod told it; as it was known before, or as asked for, while none has."""
    neuron = situation.neuron
    sample = told.samples[0] if told.samples else None
    known = previous.get("model", {}) if previous.get("observedGeneration") == neuron.generation else {}
    loaded = {
        "version": sample.version if sample else known.get("version", neuron.spec.model.version),
        "digest": sample.digest if sample else known.get("digest", neuron.spec.model.sha256),
        "framework": neuron.spec.model.resolved_framework(),
        "engine": sample.engine if sample else known.get("engine"),
        "engineReason": sample.engine_reason if sample else known.get("engineReason"),
    }
    return {name: value for name, value in loaded.items() if value}


def _health(told: Told, serving: bool, previous: Object) -> Object | None:
    """The pods' health; the last known while ready pods have not told any, and the worst once none is left."""
    known: Object | None = previous.get("health")
    if not serving:
        return _written(NOTHING_SERVES) if known else None
    health = health_of(told.samples)
    return _written(health) if health else known


def _written(health: Health) -> Object:
    written: Object = {"score": health.score, "status": health.status}
    return {**written, "message": health.message} if health.message else written


def _entry(told: Told, previous: Object) -> Object | None:
    state, known = told.federation, previous.get("federation")
    if not told.federated:
        return None
    if state is None:
        return known
    entry: Object = {"neuronId": state.neuron_id, "registered": state.registered}
    if state.last_heartbeat is not None:
        entry["lastHeartbeat"] = rfc3339(state.last_heartbeat)
    return known if known and _same_but_for_minutes(entry, known) else entry


def _same_but_for_minutes(entry: Object, known: Object) -> bool:
    """Whether only the heartbeat moved, and not far enough to be worth a write; after a restart as well."""
    if {**entry, "lastHeartbeat": 0} != {**known, "lastHeartbeat": 0}:
        return False
    now, before = entry.get("lastHeartbeat"), known.get("lastHeartbeat")
    if now is None or before is None:
        return bool(now == before)
    return 0 <= (datetime.fromisoformat(now) - datetime.fromisoformat(before)).total_seconds() < REFRESH_SECONDS


def rfc3339(seconds: float) -> str:
    """A time since the epoch as Kubernetes writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def invalid(generation: int, message: str, previous: Object, now: str) -> Object:
    """The status of a neuron whose spec can't be understood; what is known beside the conditions stays."""
    drafts = [
        Draft(ConditionType.READY, "False", Reason.SPEC_INVALID, message),
        Draft(ConditionType.STALLED, "True", Reason.SPEC_INVALID, message),
    ]
    conditions = settle(drafts, previous.get("conditions", ()), generation, now)
    summary = {**previous.get("summary", {}), "reason": str(Reason.SPEC_INVALID)}
    return {**previous, "observedGeneration": generation, "conditions": conditions, "summary": summary}
