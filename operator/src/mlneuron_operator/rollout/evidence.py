"""What two models did over the same time: the counts that a rollout is decided by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

STEPS: Final = 8
BOUNDS: Final = tuple(2 ** (step / STEPS) for step in range(-13 * STEPS, 5 * STEPS + 1))
"""Seconds, from 0.1 ms to 32 s, 9 % apart: the runtime's buckets of latency. A count for each, and one for more."""

UNASKED: Final = ("circuit_open", "no_grpc")
"""Fallbacks without a question to the variant: they say nothing about it."""


@dataclass(frozen=True, slots=True)
class Counts:
    """One model's, cumulative or of a while."""

    requests: int = 0
    """Of the subjects that are its own."""
    unasked: int = 0
    """Of these, those that were answered for it without asking it."""
    errors: int = 0
    """Of those that it was asked, the ones that it failed on."""
    feedback: int = 0
    """Predictions whose outcome became known."""
    correct: int = 0
    """Of these, the right ones."""
    latency: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    """Requests by the time that they took, a number for each of BOUNDS, and for more."""

    @classmethod
    def told(cls, entry: Mapping[str, Any]) -> Self:
        """From an entry of ``traffic.variants`` in a pod's ``/stats``.

        Raises KeyError, TypeError or ValueError for anything else, also for other buckets than BOUNDS.
        """
        fallback = entry.get("fallback", {})
        unasked = sum(int(fallback.get(reason, 0)) for reason in UNASKED)
        requests, errors = int(entry["requests"]), int(entry["errors"])
        feedback, correct = int(entry["feedback"]), int(entry["correct"])
        return cls(requests, unasked, errors, feedback, correct, _buckets(entry["latency"]))

    @property
    def asked(self) -> int:
        """Requests that say something about the model."""
        return max(0, self.requests - self.unasked)

    def document(self) -> list[Any]:
        """For status: few numbers, as most buckets are empty."""
        filled = [[place, count] for place, count in enumerate(self.latency) if count]
        return [self.requests, self.unasked, self.errors, self.feedback, self.correct, filled]

    @classmethod
    def parse(cls, document: Sequence[Any]) -> Self:
        """The counts of a document. Raises ValueError, TypeError or IndexError for no such document."""
        *whole, filled = document
        latency = [0] * (len(BOUNDS) + 1)
        for place, count in filled:
            latency[place] = int(count)
        requests, unasked, errors, feedback, correct = (int(number) for number in whole)
        return cls(requests, unasked, errors, feedback, correct, tuple(latency))

    def __add__(self, other: "Counts") -> "Counts":
        return _of(a + b for a, b in zip(self._numbers(), other._numbers(), strict=True))

    def since(self, before: "Counts") -> "Counts":
        """What came after an earlier reading of the same counters; all of it where they began anew in between."""
        new = [now - then for now, then in zip(self._numbers(), before._numbers(), strict=True)]
        return self if min(new) < 0 else _of(new)

    def _numbers(self) -> tuple[int, ...]:
        return (self.requests, self.unasked, self.errors, self.feedback, self.correct, *self.latency)


def _of(numbers: Iterable[int]) -> Counts:
    requests, unasked, errors, feedback, correct, *latency = numbers
    return Counts(requests, unasked, errors, feedback, correct, tuple(latency))


def _buckets(latency: Sequence[Any]) -> tuple[int, ...]:
    if len(latency) != len(BOUNDS) + 1:
        raise ValueError(f"latency has {len(latency)} counts where {len(BOUNDS) + 1} are known")
    return tuple(int(count) for count in latency)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Both models', over the same time."""

    primary: Counts = Counts()
    variant: Counts = Counts()

    def __add__(self, other: "Evidence") -> "Evidence":
        return Evidence(self.primary + other.primary, self.variant + other.variant)

    def since(self, before: "Evidence") -> "Evidence":
        """What came after an earlier reading of the same counters."""
        return Evidence(self.primary.since(before.primary), self.variant.since(before.variant))

    def document(self) -> list[Any]:
        """For status: the primary's, the variant's."""
        return [self.primary.document(), self.variant.document()]

    @classmethod
    def parse(cls, document: Sequence[Any]) -> Self:
        """The evidence of a document. Raises ValueError, TypeError or IndexError for no such document."""
        primary, variant = document
        return cls(Counts.parse(primary), Counts.parse(variant))
