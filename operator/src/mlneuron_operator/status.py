"""The whole status of a neuron, computed anew each time from what is observed; pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .api.names import PRIMARY, selector_labels
from .api.status import ConditionType, Reason
from .conditions import ConditionStatus, Draft, settle
from .desired.access import url
from .federation.state import REFRESH_SECONDS, FederationReason, FederationState
from .health import Sample
from .slots import SLOTS
from .standing import as_before, health, loaded_model, model_loaded, readiness, warned
from .traffic import Split, in_words, percent
from .verdict import Situation, verdict

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What the pods and the core told, beside what Kubernetes knows."""

    samples: Sequence[Sample] = field(default=())
    """Of ready pods of the newest revision, or of any ready pod while that has none."""
    split: Split | None = None
    """Who has which share; the primary all of it when not known."""
    traffic: Draft | None = None
    """How far the split has come to the pods of the front door."""
    federated: bool = False
    """Whether the neuron is to be reported to the core."""
    federation: FederationState | None = None
    """None while the reporter has not spoken yet; what it said before a restart then stays."""


def derive(situation: Situation, told: Told, previous: Object, now: str) -> Object:
    """The status to write; ``previous`` is the one that stands, ``now`` an RFC 3339 time."""
    workload, ready = situation.workload, len(situation.observation.ready_pods)
    found = verdict(situation)
    live = situation.deployment
    drafts = [
        *readiness(situation, found, ready),
        model_loaded(situation, found),
        *warned(situation, told.samples, previous),
        *([told.traffic] if told.traffic else []),
        *_reported(told, previous),
    ]
    serving = ready > 0
    shares = told.split.shares if told.split else {PRIMARY: SLOTS} if serving else {}
    status: Object = {
        "observedGeneration": workload.generation,
        "conditions": settle(drafts, previous.get("conditions", ()), workload.generation, now),
        "replicas": live["status"].get("replicas", 0) if live else 0,
        "readyReplicas": ready,
        "selector": ",".join(f"{name}={value}" for name, value in sorted(selector_labels(workload.name).items())),
        "url": url(workload),
        "model": loaded_model(situation, told.samples, previous),
        "traffic": [{"variant": name, "percent": percent(share)} for name, share in shares.items()],
        "summary": {
            "reason": str(found.reason if found else drafts[0].reason),
            "replicas": f"{ready}/{situation.wanted}",
            "traffic": in_words(shares),
        },
    }
    well = health(told.samples, serving, previous)
    if well is not None:
        status["health"] = well
    entry = _entry(told, previous)
    if entry is not None:
        status["federation"] = entry
    return status


def _reported(told: Told, previous: Object) -> list[Draft]:
    if not told.federated:
        return []
    state = told.federation
    if state is not None:
        holds: dict[bool | None, ConditionStatus] = {True: "True", False: "False", None: "Unknown"}
        return [Draft(ConditionType.FEDERATION_READY, holds[state.ready], state.reason, state.message)]
    unheard = Draft(ConditionType.FEDERATION_READY, "Unknown", FederationReason.REGISTERING, "not reported yet")
    return as_before(ConditionType.FEDERATION_READY, previous) or [unheard]


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
