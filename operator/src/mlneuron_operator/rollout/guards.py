"""What must not get worse than with the primary, and how sure one is that it did.

Three questions are asked at once, each as a test of two shares (betting.py): do more requests fail, do more take longer
than what the primary's 95th percentile allows, are more predictions wrong? Each may use an equal part of the
probability of a false alarm (Bonferroni), so that together they stay below 1 - confidence over the whole rollout.

**Latency.** A threshold t is taken from the primary's requests before the look (the bucket in which 95 % of them end).
The share of the variant's requests above (1 + maxP95Increase) * t is held against the share of the primary's above t:
if the variant is at most that factor slower, the first is at most the second at every t, so that a t which is off the
true percentile costs sight, and no false alarm. What is approximate: (1) of the bucket that (1 + maxP95Increase) * t
lies in, the part above it is interpolated: off by less than 1 % for smooth latencies, by a bucket's width (9 %) at most
for latencies that are all the same; (2) a variant whose 95th percentile is within the limit, but which is slower by
more than the factor at a neighbouring percentile that t strayed to, may be found harmful.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from .betting import Pair, Tally, Wager
from .evidence import BOUNDS, Counts, Evidence
from .latency import beyond, quantile

P95: Final = 0.95
FEWEST: Final = 100
"""Requests of the primary before its 95th percentile is trusted."""
YARDSTICK_MEMORY: Final = 20000
"""Requests of the primary that the threshold is taken from: what is older counts half, and again half."""


class Question(StrEnum):
    """What a guard asks; also the reason of the condition and of the event."""

    ERRORS = "ErrorRate"
    LATENCY = "P95"
    ACCURACY = "Accuracy"


@dataclass(frozen=True, slots=True)
class Guard:
    """The limits."""

    min_requests: int = 500
    """Of each model in a step, before the next one."""
    max_error_rate_increase: float = 0.01
    max_p95_increase: float = 0.2
    min_accuracy_gain: float | None = None
    confidence: float = 0.99

    def margins(self) -> dict[Question, float]:
        """Of each question that is asked: by how much the variant's share may be above the primary's."""
        margins = {Question.ERRORS: self.max_error_rate_increase, Question.LATENCY: 0.0}
        if self.min_accuracy_gain is not None:
            margins[Question.ACCURACY] = -self.min_accuracy_gain
        return margins

    def limits(self) -> dict[Question, float]:
        """Of each question that is asked, the limit: with another one, it is another question."""
        return self.margins() | {Question.LATENCY: self.max_p95_increase}

    @property
    def enough(self) -> float:
        """Logarithm of what a wager must become for its question to be answered with yes."""
        return math.log(len(self.margins()) / (1 - self.confidence))


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known of each question, and the primary's latencies that the threshold is taken from."""

    wagers: Mapping[Question, Wager] = field(default_factory=dict)
    limits: Mapping[Question, float] = field(default_factory=dict)
    """That the wagers were made about."""
    yardstick: tuple[float, ...] = (0.0,) * (len(BOUNDS) + 1)

    def after(self, block: Evidence, guard: Guard) -> "Watch":
        """The watch after what came since the last look. A question with a changed limit is asked anew."""
        limits, wagers = guard.limits(), dict[Question, Wager]()
        for question, margin in guard.margins().items():
            known = self.limits.get(question) == limits[question]
            wager = self.wagers.get(question, Wager()) if known else Wager()
            wagers[question] = wager.after(self._pair(question, block, guard), margin)
        return Watch(wagers, limits, _faded(self.yardstick, block.primary.latency))

    def _pair(self, question: Question, block: Evidence, guard: Guard) -> Pair:
        if question is Question.ERRORS:
            return Pair(*(_tally(counts.asked, counts.errors) for counts in (block.primary, block.variant)))
        if question is Question.ACCURACY:
            both = block.primary, block.variant
            return Pair(*(_tally(counts.feedback, counts.feedback - counts.correct) for counts in both))
        threshold = quantile(self.yardstick, P95) if sum(self.yardstick) >= FEWEST else None
        if threshold is None:
            return Pair()
        return Pair(_slow(block.primary, threshold), _slow(block.variant, threshold * (1 + guard.max_p95_increase)))

    def harm(self, guard: Guard) -> Question | None:
        """The question that is answered with yes, the surest if there are several; None: no harm is shown."""
        sure = {question: wager.log for question, wager in self.wagers.items() if wager.log >= guard.enough}
        return max(sure, key=lambda question: sure[question]) if sure else None

    def document(self) -> dict[str, Any]:
        """For status."""
        wagers = {str(question): [self.limits[question], wager.document()] for question, wager in self.wagers.items()}
        yardstick = [[place, count] for place, count in enumerate(self.yardstick) if count]
        return {"wagers": wagers, "yardstick": yardstick}

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """The watch of a document. Raises KeyError, ValueError, TypeError or IndexError for no such document."""
        wagers, limits = dict[Question, Wager](), dict[Question, float]()
        for name, (limit, wager) in document["wagers"].items():
            wagers[Question(name)], limits[Question(name)] = Wager.parse(wager), float(limit)
        yardstick = [0.0] * (len(BOUNDS) + 1)
        for place, count in document["yardstick"]:
            yardstick[place] = float(count)
        return cls(wagers, limits, tuple(yardstick))


def _tally(trials: int, hits: int) -> Tally:
    """Counters are read one after the other, so that one may be ahead of another by a few."""
    return Tally(trials, min(max(hits, 0), trials))


def _slow(counts: Counts, threshold: float) -> Tally:
    return Tally(sum(counts.latency), beyond(counts.latency, threshold))


def _faded(before: Sequence[float], new: Sequence[int]) -> tuple[float, ...]:
    counts = tuple(old + more for old, more in zip(before, new, strict=True))
    return tuple(count / 2 for count in counts) if sum(counts) > 2 * YARDSTICK_MEMORY else counts
