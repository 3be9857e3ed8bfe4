"""A neuron's health from what its pods tell; pure. The rules for a single pod are the runtime's (the federation's)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_REASON: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
_TEXT_LENGTH: Final = 1000


@dataclass(frozen=True, slots=True)
class ModelWarning:
    """What is not as it should be about a model that serves all the same: a word, and a sentence for a person."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Recent:
    """What a pod did over the last few minutes."""

    requests: int
    failures: int
    """Of these, those that failed by the server's fault."""
    p95_ms: float | None
    """Of its latest requests; None where there were none."""


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
    p95_ms: float | None = None
    """Of its latest requests; None before the first."""
    recent: Recent | None = None
    """None until it was watched for as long."""
    engine: str | None = None
    """What runs the model; None of a runtime that does not say."""
    engine_reason: str | None = None
    """Why that engine runs it."""
    warnings: tuple[ModelWarning, ...] = ()
    traffic_revision: str | None = None
    """The traffic table that all of the pod's processes have in force."""
    traffic_problem: str | None = None
    """Why the newest table was refused."""
    counters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What was counted for each variant, the primary among them, since the pod's start; as the runtime tells it."""

    @classmethod
    def parse(cls, stats: dict[str, Any]) -> "Sample":
        """A sample from a pod's ``/stats``. Raises KeyError or TypeError for anything else.

        The pods of the last revision may run an older runtime, so what came later may be absent.
        """
        model = stats["model"]
        traffic = stats.get("traffic") or {}
        engine, why = _engine(stats.get("acceleration"), model["framework"])
        return cls(
            version=model["version"],
            digest=model["sha256"],
            framework=model["framework"],
            score=int(stats["healthScore"]),
            started_at=float(stats["startedAt"]),
            requests=int(stats["requests"]),
            failures=int(stats["failures"]),
            p95_ms=None if stats.get("p95Ms") is None else float(stats["p95Ms"]),
            engine=engine,
            engine_reason=why,
            warnings=tuple(_warning(item) for item in stats.get("warnings", ())),
            traffic_revision=_text(traffic.get("revision")) if traffic.get("agreed", True) else None,
            traffic_problem=_text(traffic.get("problem")),
            counters=dict(traffic.get("variants", {})),
        )

    def told(self) -> tuple[object, ...]:
        """The part that status shows; only a change of it is worth a reconciliation."""
        model = self.version, self.digest, self.framework, self.engine, self.engine_reason
        return *model, self.score, self.recent, self.warnings, self.traffic_revision, self.traffic_problem

    def since(self, before: "Sample") -> Recent:
        """What the same pod did after it told ``before``; all that it counted, if its process was started anew."""
        known = (before.requests, before.failures) if before.started_at == self.started_at else (0, 0)
        requests = max(0, self.requests - known[0])
        return Recent(requests, max(0, self.failures - known[1]), self.p95_ms if requests else None)


def _engine(acceleration: dict[str, Any] | None, framework: str) -> tuple[str | None, str | None]:
    """What runs the model, the framework where nothing faster does, and why."""
    if acceleration is None:
        return None, None
    return str(acceleration["engine"] or framework), str(acceleration["reason"])[:_TEXT_LENGTH]


def _text(value: object) -> str | None:
    return None if value is None else str(value)[:_TEXT_LENGTH]


def _warning(item: dict[str, Any]) -> ModelWarning:
    """A warning within the bounds of a condition. Raises ValueError for what no condition can hold."""
    reason = str(item["reason"])
    if not _REASON.fullmatch(reason):
        raise ValueError(f"{reason!r} is no reason")
    return ModelWarning(reason, str(item["message"])[:_TEXT_LENGTH])


def warnings_of(samples: Sequence[Sample]) -> list[ModelWarning]:
    """What any pod warns of, each once, in the order of the pods."""
    return list(dict.fromkeys(warning for sample in samples for warning in sample.warnings))


def lately(samples: Sequence[Sample]) -> Recent | None:
    """What the pods did together, the slowest one's p95; None while none was watched for long enough."""
    watched = [sample.recent for sample in samples if sample.recent is not None]
    if not watched:
        return None
    slowest = max((one.p95_ms for one in watched if one.p95_ms is not None), default=None)
    return Recent(sum(one.requests for one in watched), sum(one.failures for one in watched), slowest)


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
