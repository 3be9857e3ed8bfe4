"""A variant's rollout in the words of the API: its spec as a plan, the pods' counters as readings, its state in status;
pure. The decisions themselves are ``rollout``'s."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .api.quantity import seconds
from .api.rollout import GuardSpec
from .api.status import ConditionType
from .api.variant import ModelVariantSpec
from .api.variant_status import VariantConditionType, VariantReason
from .conditions import ConditionStatus, Draft, Notice
from .desired.meta import digest
from .health import Sample
from .rollout.evidence import Counts, Evidence
from .rollout.guards import Guard
from .rollout.ledger import Reading
from .rollout.plan import Plan, Step, Verdict
from .rollout.state import State
from .rollout.wording import message
from .variant_status import Rolled

Object = dict[str, Any]

LOOK_SECONDS: Final = 5.0
"""How often pods are read while a rollout goes on."""
WRITE_SECONDS: Final = 30.0
"""How often counts alone are written to status: what a pod counted is still there for the next operator to read, and
only what a pod counted that ended meanwhile would be lost with this one."""

_TOLD: Final[Mapping[Verdict, tuple[ConditionStatus, VariantReason]]] = {
    Verdict.WAITING: ("Unknown", VariantReason.STEPPING),
    Verdict.PROGRESSING: ("Unknown", VariantReason.STEPPING),
    Verdict.HOLDING: ("Unknown", VariantReason.STEPPING),
    Verdict.PAUSED: ("Unknown", VariantReason.PAUSED),
    Verdict.HARM: ("False", VariantReason.ROLLED_BACK),
    Verdict.ABORTED: ("Unknown", VariantReason.ABORTED),
    Verdict.SUCCEEDED: ("True", VariantReason.COMPLETED),
}

_WORTH_AN_EVENT: Final = frozenset({Verdict.PROGRESSING, Verdict.PAUSED, Verdict.ABORTED, Verdict.SUCCEEDED})
"""Beside harm, whose event is that of Stalled."""


def plan_of(spec: ModelVariantSpec) -> Plan | None:
    """What is to be rolled out; None for a share that is constant."""
    if spec.rollout is None:
        return None
    steps = tuple(Step(step.traffic, seconds(step.hold)) for step in spec.rollout.steps)
    return Plan(steps, spec.traffic, spec.rollout.paused, _guard(spec.guard))


def _guard(spec: GuardSpec) -> Guard:
    return Guard(
        spec.min_requests,
        spec.max_error_rate_increase,
        spec.max_p95_increase,
        spec.min_accuracy_gain,
        spec.confidence,
    )


def subject_of(spec: ModelVariantSpec) -> str:
    """Of whom the rollout is: another model is another one's, and begins anew."""
    return digest(spec.model.model_dump(mode="json"))


def readings_of(variant: str, pods: Sequence[Object], samples: Sequence[Sample | None]) -> list[Reading]:
    """What the ready pods of the front door counted; a pod that has not told, or counts otherwise, is left out.

    So is one whose table lacks the variant: it forgets nothing, and tells all that it counted under the name before
    when the variant comes back, which taken for new would be counted twice.
    """
    found: list[Reading] = []
    for pod, sample in zip(pods, samples, strict=True):
        counted = sample.counters if sample else {}
        if sample is None or "primary" not in counted or variant not in counted:
            continue
        try:
            evidence = Evidence(Counts.told(counted["primary"]), Counts.told(counted[variant]))
        except (KeyError, TypeError, ValueError):
            continue
        found.append(Reading(pod["metadata"]["uid"], sample.started_at, evidence))
    return found


def direct_readings_of(variant: str, pods: Sequence[Object], samples: Sequence[Sample | None]) -> list[Reading]:
    """What the ready pods of a variant counted of the requests that a Gateway gave to them, past the front door."""
    found: list[Reading] = []
    for pod, sample in zip(pods, samples, strict=True):
        if sample is None or variant not in sample.counters:
            continue
        try:
            evidence = Evidence(variant=Counts.told(sample.counters[variant]))
        except (KeyError, TypeError, ValueError):
            continue
        found.append(Reading(pod["metadata"]["uid"], sample.started_at, evidence))
    return found


def kept(status: Object) -> State | None:
    """The state of a rollout as the status holds it; None where there is none that can be understood."""
    try:
        return State.parse(json.loads(status["rollout"]["state"]))
    except (KeyError, TypeError, ValueError, IndexError):
        return None


def is_news(state: State, before: State | None) -> bool:
    """Whether more than counts has moved."""
    if before is None or state.subject != before.subject:
        return True
    now, then = state.progress, before.progress
    return (now.verdict, now.step, now.plan, now.since, now.held) != (
        then.verdict,
        then.step,
        then.plan,
        then.since,
        then.held,
    )


def rolled(state: State, plan: Plan, status: Object, now: float, *, fresh: bool) -> Rolled:
    """What status says of the rollout; with its numbers as they stand there unless they are to be written ``fresh``."""
    progress, total = state.progress, state.ledger.total
    entry: Object = status["rollout"] if not fresh and "rollout" in status else {}
    entry = entry or {
        "step": progress.step + 1,
        "steps": len(plan.steps),
        "verdict": str(progress.verdict),
        "message": message(progress, plan, total, now),
        "requests": total.variant.asked - progress.variant,
        "primaryRequests": total.primary.asked - progress.primary,
        "state": json.dumps(state.document(), separators=(",", ":"), sort_keys=True),
    }
    holds, reason = _TOLD[progress.verdict]
    said = str(entry["message"])
    drafts = [Draft(VariantConditionType.ROLLOUT_HEALTHY, holds, reason, said)]
    if progress.verdict is Verdict.HARM:
        drafts.append(Draft(ConditionType.STALLED, "True", reason, said))
    elif state.looking:
        drafts.append(Draft(ConditionType.RECONCILING, "True", reason, said))
    return Rolled(drafts, entry, f"{progress.step + 1}/{len(plan.steps)}", str(progress.verdict))


def progressed(before: Object, after: Object) -> list[Notice]:
    """The events of what became of a rollout between two statuses of its variant: a step begins or goes on, it is
    paused, ended or through."""
    now, then = after.get("rollout"), before.get("rollout", {})
    if now is None or all(now[name] == then.get(name) for name in ("step", "verdict")):
        return []
    verdict = Verdict(now["verdict"])
    return [Notice(False, _TOLD[verdict][1], now["message"])] if verdict in _WORTH_AN_EVENT else []
