"""A rollout's whole state, and the one decision: what is, and what was, to what shall be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from .guards import Watch
from .ledger import Ledger, Reading
from .plan import ENDED, Plan, Progress, Verdict, begun, fitted, is_final, moved_on, stopped
from .wording import finding


@dataclass(frozen=True, slots=True)
class Moment:
    """What a look sees."""

    now: float
    """Seconds since the epoch."""
    serving: bool
    """Whether a pod of the variant takes requests."""
    readings: Sequence[Reading] = ()
    """Of the pods of the front door that could be read."""
    present: frozenset[str] | None = None
    """UIDs of all pods of the front door, read or not; None: unknown."""


@dataclass(frozen=True, slots=True)
class State:
    """All that must outlive the operator: a few hundred numbers, however long a rollout lasts."""

    subject: str
    """Of whom it is the rollout: a digest of the variant's model. With another one, it begins anew."""
    progress: Progress
    ledger: Ledger
    watch: Watch = field(default_factory=Watch)

    @property
    def looking(self) -> bool:
        """Whether further looks are needed every few seconds."""
        return self.progress.verdict not in ENDED

    def document(self) -> dict[str, Any]:
        """For status: JSON."""
        return {
            "subject": self.subject,
            "progress": self.progress.document(),
            "ledger": self.ledger.document(),
            "watch": self.watch.document(),
        }

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """The state of a document. Raises KeyError, ValueError, TypeError or IndexError for no such document."""
        return cls(
            document["subject"],
            Progress.parse(document["progress"]),
            Ledger.parse(document["ledger"]),
            Watch.parse(document["watch"]),
        )


def look(plan: Plan, subject: str, before: State | None, moment: Moment) -> State:
    """The state after a look; the same for the same arguments.

    ``before`` is None at the first look. What was counted since the last look is taken in once: a look whose state is
    lost is made good by the next one, which finds the same in one larger block.
    """
    if before is not None and before.subject == subject and _stays(before.progress, plan, moment):
        return before
    state = _carried_on(plan, subject, before, moment)
    if plan.most == 0:
        aborted = stopped(state.progress, moment.now, Verdict.ABORTED)
        return replace(state, progress=aborted, ledger=state.ledger.closed)
    ledger, new = state.ledger.read(moment.readings, moment.present)
    watch = state.watch.after(new, plan.guard)
    harm = watch.harm(plan.guard)
    if harm is not None:
        text = finding(harm, watch.wagers[harm].best, ledger.total, plan.guard)
        progress = stopped(state.progress, moment.now, Verdict.HARM, text)
    else:
        progress = moved_on(state.progress, plan, moment.now, moment.serving, ledger.total)
    return State(subject, progress, ledger.closed if progress.verdict in ENDED else ledger, watch)


def _stays(before: Progress, plan: Plan, moment: Moment) -> bool:
    """Whether there is nothing to see: the rollout has ended, or its first pod is still to come."""
    waits = before.unserved and not moment.serving and before.plan == plan.digest and not plan.paused
    return waits or is_final(before, plan)


def _carried_on(plan: Plan, subject: str, before: State | None, moment: Moment) -> State:
    """The state to go on from: a new one for another model, after an end and when the first pod serves; else the last
    one, fitted to the plan."""
    fresh = State(subject, begun(plan), Ledger(moment.now))
    if before is None or before.subject != subject:
        return fresh
    last = before.progress
    if last.unserved or last.verdict in (Verdict.HARM, Verdict.ABORTED):
        return fresh
    if last.verdict is Verdict.SUCCEEDED:
        return replace(
            fresh, progress=fitted(replace(last, primary=0, variant=0), plan, moment.now, fresh.ledger.total)
        )
    return replace(before, progress=fitted(last, plan, moment.now, before.ledger.total))
