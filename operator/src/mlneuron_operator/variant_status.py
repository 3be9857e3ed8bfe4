"""The whole status of a variant, computed anew each time from what is observed; pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .api.names import PRIMARY, selector_labels
from .api.status import ConditionType, TrafficReason
from .api.variant import ModelVariant
from .api.variant_status import VariantReason
from .conditions import Draft, settle
from .desired.access import url
from .health import Sample
from .standing import health, loaded_model, model_loaded, readiness, warned
from .traffic import Split, percent
from .verdict import Situation, verdict

Object = dict[str, Any]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Rolled:
    """What a rollout adds to the status: its conditions, its part of the status, and the texts of the columns."""

    drafts: Sequence[Draft]
    entry: Object
    step: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What the pods, the split and the rollout told of a variant, beside what Kubernetes knows."""

    split: Split
    samples: Sequence[Sample] = field(default=())
    rolled: Rolled | None = None


def derive(variant: ModelVariant, situation: Situation, heard: Heard, previous: Object, now: str) -> Object:
    """The status to write; ``previous`` is the one that stands, ``now`` an RFC 3339 time."""
    ready = len(situation.observation.ready_pods)
    found, live, workload = verdict(situation), situation.deployment, situation.workload
    drafts = _in_order(
        [
            *readiness(situation, found, ready),
            *_refused(variant, heard.split),
            *(heard.rolled.drafts if heard.rolled else ()),
            model_loaded(situation, found),
            *warned(situation, heard.samples, previous),
            _traffic(variant, heard.split, ready),
        ]
    )
    share = _share(variant, heard.split, ready)
    status: Object = {
        "observedGeneration": variant.generation,
        "conditions": settle(drafts, previous.get("conditions", ()), variant.generation, now),
        "replicas": live["status"].get("replicas", 0) if live else 0,
        "readyReplicas": ready,
        "selector": _selector(workload.neuron_name, variant.name),
        "url": url(workload),
        "model": loaded_model(situation, heard.samples, previous),
        "traffic": share,
        "summary": {
            "reason": _reason(drafts),
            "replicas": f"{ready}/{situation.wanted}",
            "traffic": f"{share:g}",
            **({"step": heard.rolled.step, "verdict": heard.rolled.verdict} if heard.rolled else {}),
        },
    }
    well = health(heard.samples, ready > 0, previous)
    if well is not None:
        status["health"] = well
    if heard.rolled is not None:
        status["rollout"] = heard.rolled.entry
    return status


def waiting(generation: int, neuron: Key, previous: Object, now: str) -> Object:
    """The status of a variant that has no neuron to serve for; a rollout's progress stays."""
    reason = VariantReason.WAITING_FOR_NEURON
    message = (
        f"Waiting for neuron {neuron[1]}: there is no MLNeuron of this name in namespace {neuron[0]}; "
        "make it, or make the variant anew with another spec.neuron"
    )
    drafts = [
        Draft(ConditionType.READY, "Unknown", reason, message),
        Draft(ConditionType.RECONCILING, "True", reason, message),
        Draft(ConditionType.TRAFFIC_APPLIED, "False", reason, message),
    ]
    return {
        "observedGeneration": generation,
        "conditions": settle(drafts, previous.get("conditions", ()), generation, now),
        "replicas": 0,
        "readyReplicas": 0,
        "traffic": 0.0,
        **({"rollout": previous["rollout"]} if "rollout" in previous else {}),
        "summary": {**previous.get("summary", {}), "reason": str(reason), "replicas": "0/0", "traffic": "0"},
    }


def _in_order(drafts: Sequence[Draft]) -> list[Draft]:
    """One condition of each type, the first that was drafted; and not Reconciling beside Stalled, which rules it."""
    kept = {draft.type: draft for draft in reversed(drafts)}
    if ConditionType.STALLED in kept:
        kept.pop(ConditionType.RECONCILING, None)
    return [kept[kind] for kind in dict.fromkeys(draft.type for draft in drafts) if kind in kept]


def _reason(drafts: Sequence[Draft]) -> str:
    found = {draft.type: str(draft.reason) for draft in drafts}
    return found.get(ConditionType.STALLED) or found.get(ConditionType.RECONCILING) or found[ConditionType.READY]


def _refused(variant: ModelVariant, split: Split) -> list[Draft]:
    excess = split.excess
    if excess is None or excess.newest != variant.name:
        return []
    reason = VariantReason.TOO_MANY_VARIANTS if excess.too_many else TrafficReason.SHARES_EXCEED_100
    return [Draft(ConditionType.STALLED, "True", reason, f"spec.traffic: {excess.message}")]


def _traffic(variant: ModelVariant, split: Split, ready: int) -> Draft:
    """Whether it has the share that it is to have."""
    excess, granted = split.excess, split.granted.get(variant.name, 0)
    if excess is not None and excess.newest == variant.name:
        reason = VariantReason.TOO_MANY_VARIANTS if excess.too_many else TrafficReason.SHARES_EXCEED_100
        return Draft(ConditionType.TRAFFIC_APPLIED, "False", reason, excess.message)
    if not granted:
        return Draft(ConditionType.TRAFFIC_APPLIED, "True", VariantReason.NO_SHARE, "its share is 0")
    wanted = f"{percent(granted):g} %"
    if not ready or (variant.splits and variant.name not in split.shares):
        away = f"its share of {wanted} is the primary's until a pod of it has been ready for a few seconds"
        return Draft(ConditionType.TRAFFIC_APPLIED, "False", VariantReason.NOT_READY, away)
    if not variant.splits:
        mirrored = f"it is sent {wanted} of the primary's requests, and answers nobody"
        return Draft(ConditionType.TRAFFIC_APPLIED, "True", VariantReason.SHADOWS, mirrored)
    return Draft(ConditionType.TRAFFIC_APPLIED, "True", VariantReason.TAKES_TRAFFIC, f"it answers {wanted}")


def _share(variant: ModelVariant, split: Split, ready: int) -> float:
    if variant.splits:
        return percent(split.shares.get(variant.name, 0))
    return percent(split.granted.get(variant.name, 0)) if ready and PRIMARY in split.shares else 0.0


def _selector(neuron: str, variant: str) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(selector_labels(neuron, variant).items()))
