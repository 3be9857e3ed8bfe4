"""Pods come, restart and go; what they counted for a rollout stays counted, each request once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from .evidence import Evidence


@dataclass(frozen=True, slots=True)
class Reading:
    """What one pod of the front door tells at a look, cumulative since it started."""

    pod: str
    """Its UID."""
    started: float
    """Seconds since the epoch, of the process that counts."""
    counts: Evidence


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the pods counted since ``began``, in all; and what each said last, from which the next reading goes on."""

    began: float
    """Seconds since the epoch: what was counted before is not the rollout's."""
    total: Evidence = field(default_factory=Evidence)
    last: Mapping[str, tuple[float, Evidence]] = field(default_factory=dict)
    """By pod: when its process started, and its counts when last read."""

    def read(self, readings: Sequence[Reading], present: frozenset[str] | None = None) -> tuple["Ledger", Evidence]:
        """The ledger after a look, and what is new in it.

        ``present`` are the pods that exist, read or not: the others are forgotten. None forgets nobody. The first
        reading of a pod that is older than the rollout is where its counting starts.
        """
        new, last = Evidence(), dict(self.last)
        for reading in readings:
            new += self._news(reading)
            last[reading.pod] = (reading.started, reading.counts)
        if present is not None:
            last = {pod: said for pod, said in last.items() if pod in present}
        return Ledger(self.began, self.total + new, last), new

    def _news(self, reading: Reading) -> Evidence:
        known = self.last.get(reading.pod)
        if known is None:
            return reading.counts if reading.started >= self.began else Evidence()
        started, before = known
        return reading.counts if reading.started > started else reading.counts.since(before)

    @property
    def closed(self) -> "Ledger":
        """What is kept of it when nothing is to come."""
        return Ledger(self.began, self.total)

    def document(self) -> dict[str, Any]:
        """For status."""
        last = {pod: [started, counts.document()] for pod, (started, counts) in sorted(self.last.items())}
        return {"began": self.began, "total": self.total.document(), "last": last}

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """The ledger of a document. Raises KeyError, ValueError, TypeError or IndexError for no such document."""
        last = {pod: (float(started), Evidence.parse(counts)) for pod, (started, counts) in document["last"].items()}
        return cls(float(document["began"]), Evidence.parse(document["total"]), last)
