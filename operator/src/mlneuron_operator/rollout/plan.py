"""The steps of a rollout, and where it is in them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from .evidence import Evidence
from .guards import Guard


class Verdict(StrEnum):
    """The word that status shows."""

    WAITING = "Waiting"
    """No pod of the variant serves: nobody is given to it, and its clock stands."""
    PROGRESSING = "Progressing"
    """A step is held."""
    HOLDING = "Holding"
    """The step was held for long enough, and requests are missing."""
    PAUSED = "Paused"
    """``paused`` is set: the share stays, the clock stands, harm is looked for."""
    HARM = "Harm"
    """It did harm, and has no traffic. Final, until its model or its spec changes."""
    ABORTED = "Aborted"
    """``traffic`` is 0. Another value begins a new rollout."""
    SUCCEEDED = "Succeeded"
    """The last step is behind it; it keeps that share."""


ENDED = frozenset({Verdict.HARM, Verdict.ABORTED, Verdict.SUCCEEDED})
"""There is nothing left to look for."""


@dataclass(frozen=True, slots=True)
class Step:
    """A share in percent, and for how many seconds at least."""

    traffic: float
    hold: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted. ``most`` is ``spec.traffic``: a bound of every step's share; None bounds nothing."""

    steps: tuple[Step, ...]
    most: float | None = None
    paused: bool = False
    guard: Guard = field(default_factory=Guard)

    @property
    def digest(self) -> str:
        """Of all but the pause: what a verdict of harm is about. A limit at its default is none, so that one which a
        newer operator adds changes no digest.
        """
        plain = asdict(Guard())
        limits = {name: value for name, value in asdict(self.guard).items() if value != plain[name]}
        text = json.dumps([[asdict(step) for step in self.steps], self.most, limits], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a rollout is. Times are seconds since the epoch."""

    steps: tuple[Step, ...]
    """As they were at the last look, which a changed plan is fitted to."""
    plan: str
    """The plan's digest at the last look."""
    verdict: Verdict = Verdict.PROGRESSING
    step: int = 0
    held: float = 0.0
    """Seconds of the step's hold that passed before ``since``."""
    since: float | None = None
    """When its clock was set going; None while it stands."""
    primary: int = 0
    """Requests of the primary in the rollout when the step began."""
    variant: int = 0
    """The same of the variant."""
    finding: str = ""
    """The harm, with its numbers."""

    def at(self, plan: Plan) -> Step:
        """Its step; the last one where an ended rollout's plan has become shorter."""
        return plan.steps[min(self.step, len(plan.steps) - 1)]

    def share(self, plan: Plan) -> float:
        """Percent of the subjects to give to the variant; its step's, but for a variant that is to have none."""
        if self.unserved or self.verdict in (Verdict.HARM, Verdict.ABORTED):
            return 0.0
        return self.of_step(plan)

    def of_step(self, plan: Plan) -> float:
        """Percent of the subjects at its step."""
        share = self.at(plan).traffic
        return share if plan.most is None else min(share, plan.most)

    def elapsed(self, now: float) -> float:
        """Seconds that the step was held for."""
        return self.held + (0.0 if self.since is None else max(0.0, now - self.since))

    @property
    def unserved(self) -> bool:
        """Whether no pod of the variant has served yet; the pods of its last model may still be answering."""
        return self.verdict is Verdict.WAITING and self.step == 0 and self.held == 0

    def missing(self, plan: Plan, total: Evidence) -> tuple[int, int]:
        """Requests (the primary's, the variant's) that the step lacks; a primary without any share lacks none."""
        fewest = plan.guard.min_requests
        primary = fewest - (total.primary.asked - self.primary) if self.of_step(plan) < 100 else 0
        return max(0, primary), max(0, fewest - (total.variant.asked - self.variant))

    def document(self) -> dict[str, Any]:
        """For status."""
        return asdict(self) | {"steps": [[step.traffic, step.hold] for step in self.steps]}

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """The progress of a document. Raises KeyError, ValueError or TypeError for no such document."""
        steps = tuple(Step(float(traffic), float(hold)) for traffic, hold in document["steps"])
        return cls(**{**document, "steps": steps, "verdict": Verdict(document["verdict"])})


def begun(plan: Plan) -> Progress:
    """At the first step, its clock not yet set going."""
    return Progress(plan.steps, plan.digest)


def fitted(before: Progress, plan: Plan, now: float, total: Evidence) -> Progress:
    """The same place in a changed plan.

    A step of the same share goes on, with the time and the requests that it has. Where there is none, the largest
    smaller share begins: a variant is never given more than it has earned. Where all are larger, the first begins.
    """
    if before.steps == plan.steps:
        return replace(before, plan=plan.digest)
    share = before.steps[before.step].traffic
    place = max((place for place, step in enumerate(plan.steps) if step.traffic <= share), default=0)
    moved = replace(before, steps=plan.steps, plan=plan.digest)
    return moved if plan.steps[place].traffic == share else _entered(moved, place, now, total)


def moved_on(before: Progress, plan: Plan, now: float, serving: bool, total: Evidence) -> Progress:
    """After a look at which no harm was shown: its clock set going or stopped, a step further, or at the end."""
    if plan.paused or not serving:
        verdict = Verdict.PAUSED if plan.paused else Verdict.WAITING
        return replace(before, verdict=verdict, held=before.elapsed(now), since=None)
    running = before if before.since is not None else replace(before, since=now)
    if running.elapsed(now) < plan.steps[before.step].hold:
        return replace(running, verdict=Verdict.PROGRESSING)
    if any(running.missing(plan, total)):
        return replace(running, verdict=Verdict.HOLDING)
    if before.step + 1 == len(plan.steps):
        return replace(running, verdict=Verdict.SUCCEEDED, held=running.elapsed(now), since=None)
    return _entered(running, before.step + 1, now, total)


def _entered(before: Progress, step: int, now: float, total: Evidence) -> Progress:
    return replace(
        before,
        verdict=Verdict.PROGRESSING,
        step=step,
        held=0.0,
        since=None if before.since is None else now,
        primary=total.primary.asked,
        variant=total.variant.asked,
    )


def stopped(before: Progress, now: float, verdict: Verdict, finding: str = "") -> Progress:
    """No traffic any more."""
    return replace(before, verdict=verdict, held=before.elapsed(now), since=None, finding=finding)


def is_final(before: Progress, plan: Plan) -> bool:
    """Whether an ended rollout stays as it is under this plan."""
    if before.verdict is Verdict.HARM:
        return before.plan == plan.digest
    if before.verdict is Verdict.ABORTED:
        return plan.most == 0
    return before.verdict is Verdict.SUCCEEDED and before.steps == plan.steps and plan.most != 0
