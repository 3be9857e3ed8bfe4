"""Conditions as lists of drafts: when each last changed, and what is worth an event; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .api.status import ConditionType, Reason
from .api.variant_status import VariantConditionType

ConditionStatus = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A condition before it is known when it last changed."""

    type: ConditionType | VariantConditionType
    status: ConditionStatus
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Notice:
    """An event: something that changed and that a person would want to be told."""

    warning: bool
    reason: str
    note: str


def settle(
    drafts: Iterable[Draft], previous: Sequence[Mapping[str, Any]], generation: int, now: str
) -> list[dict[str, Any]]:
    """The conditions to write: a transition time moves only when its condition's status does."""
    before = {item["type"]: item for item in previous}
    return [
        {
            "type": str(draft.type),
            "status": draft.status,
            "reason": str(draft.reason),
            "message": draft.message,
            "observedGeneration": generation,
            "lastTransitionTime": _since(draft, before.get(draft.type), now),
        }
        for draft in drafts
    ]


def _since(draft: Draft, before: Mapping[str, Any] | None, now: str) -> str:
    same = before is not None and before["status"] == draft.status
    return str(before["lastTransitionTime"]) if before is not None and same else now


def notices(previous: Sequence[Mapping[str, Any]], current: Sequence[Mapping[str, Any]]) -> list[Notice]:
    """The events of a transition: it serves, it no longer serves, the user must act, its model has a flaw."""
    before = {item["type"]: item for item in previous}
    after = {item["type"]: item for item in current}
    found: list[Notice] = []
    stalled, was_stalled = after.get(ConditionType.STALLED), before.get(ConditionType.STALLED)
    if stalled and (was_stalled is None or was_stalled["reason"] != stalled["reason"]):
        found.append(Notice(True, stalled["reason"], stalled["message"]))
    ready, was_ready = _holds(after), _holds(before)
    if ready and not was_ready:
        found.append(Notice(False, Reason.SERVING, after[ConditionType.READY]["message"]))
    if was_ready and not ready and not found:
        found.append(Notice(True, Reason.NOT_SERVING, after[ConditionType.READY]["message"]))
    warned, was_warned = after.get(ConditionType.MODEL_WARNING), before.get(ConditionType.MODEL_WARNING)
    if warned and (was_warned is None or was_warned["reason"] != warned["reason"]):
        found.append(Notice(True, warned["reason"], warned["message"]))
    return found


def _holds(conditions: Mapping[str, Mapping[str, Any]]) -> bool:
    ready = conditions.get(ConditionType.READY)
    return ready is not None and ready["status"] == "True"
