"""A neuron's health from what its pods tell; pure. The rules for a single pod are the runtime's (the federation's)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sample:
    """What a pod told about itself."""

    version: str | None
    digest: str | None
    framework: str | None
    score: int
    started_at: float
    requests: int
    failures: int

    @classmethod
    def parse(cls, stats: dict[str, Any]) -> "Sample":
        """A sample from a pod's ``/stats``. Raises KeyError or TypeError for anything else."""
        model = stats["model"]
        return cls(
            version=model["version"],
            digest=model["sha256"],
            framework=model["framework"],
            score=int(stats["healthScore"]),
            started_at=float(stats["startedAt"]),
            requests=int(stats["requests"]),
            failures=int(stats["failures"]),
        )

    def told(self) -> tuple[object, ...]:
        """The part that status shows; only a change of it is worth a reconciliation."""
        return self.version, self.digest, self.framework, self.score


@dataclass(frozen=True, slots=True)
class Health:
    """Score 0-100, and what keeps it from 100."""

    score: int
    message: str | None

    @property
    def status(self) -> str:
        """The federation's word for the score."""
        return "healthy" if self.score > 50 else "unhealthy"


def health_of(samples: Sequence[Sample]) -> Health | None:
    """The worst pod's health; None when no pod has told anything."""
    if not samples:
        return None
    worst = min(samples, key=lambda sample: sample.score)
    if worst.score == 100:
        return Health(100, None)
    if worst.score > 70:
        return Health(worst.score, "predictions take more than a second on average")
    if worst.score > 0:
        failed = f"{worst.failures} of {worst.requests} requests failed in a pod"
        return Health(worst.score, f"fewer than nine in ten requests are answered: {failed}")
    return Health(0, "a pod has no model loaded")


NOTHING_SERVES = Health(0, "no pod serves")
