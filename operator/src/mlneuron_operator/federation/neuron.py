"""One id's standing with the core: what the reporter keeps in memory, and what it implies is to be done next."""

from dataclasses import dataclass, replace
from enum import Enum, auto

from .records import TokenRecord
from .report import Key, NeuronFacts, health, registration, status
from .state import FederationState

Look = tuple[str, str, frozenset[tuple[str, str]]]


class Step(Enum):
    """What is to be done for an id."""

    REGISTER = auto()
    HEARTBEAT = auto()
    GOODBYE = auto()
    SAVE = auto()
    """Only its record is to be kept; the core is not called."""


@dataclass(slots=True)
class Standing:
    """One id. Times without another word are monotonic seconds."""

    neuron_id: str
    due: float
    """When its next step may be taken."""
    facts: NeuronFacts | None = None
    """Its neuron; None once that is gone."""
    last_facts: NeuronFacts | None = None
    """Its neuron as it was before it went."""
    record: TokenRecord | None = None
    unsaved: bool = False
    """The record is newer than the vault's."""
    rejected: bool = False
    """The core takes the token no more."""
    busy: bool = False
    failures: int = 0
    heard_at: float | None = None
    """When the core last took a heartbeat."""
    heard_wall: float | None = None
    """The same in seconds since the epoch."""
    spoke_at: float | None = None
    """When a heartbeat last went out."""
    look: Look | None = None
    """What the core last heard of its state."""
    told: frozenset[tuple[str, str]] = frozenset()
    """Rollbacks for harm that an event was sent for."""
    leaving_since: float | None = None
    """When the neuron was first seen gone, while that is not told."""
    state: FederationState | None = None

    def arrive(self, facts: NeuronFacts, due: float) -> None:
        """A neuron speaks for the id that did not a moment ago: new, returned, or another than before."""
        self.facts, self.last_facts, self.due = facts, None, due
        self.leaving_since = self.state = self.look = None
        self.failures = 0

    def leave(self, now: float) -> None:
        """The neuron is gone."""
        self.facts, self.last_facts, self.leaving_since, self.due = None, self.facts, now, now
        self.state = self.look = self.heard_at = self.heard_wall = None
        self.failures = 0


def next_step(standing: Standing) -> Step | None:
    """What is to be done for the id; None when all is said."""
    if standing.facts is not None:
        return Step.REGISTER if standing.record is None else Step.HEARTBEAT
    if standing.record is not None and standing.record.departed_at is None:
        return Step.GOODBYE
    return Step.SAVE if standing.unsaved else None


def holder(standing: Standing | None) -> Key | None:
    """The neuron that the id was last reported for."""
    if standing is None:
        return None
    if standing.facts is not None:
        return standing.facts.key
    if standing.record is not None:
        return standing.record.key
    return None


def record_of(facts: NeuronFacts, record: TokenRecord) -> TokenRecord:
    """The record as it should be while this neuron speaks for the id; the same object when nothing is new."""
    namespace, name = facts.key
    wanted = replace(record, namespace=namespace, name=name, uid=facts.uid, departed_at=None)
    return record if wanted == record else wanted


def look(facts: NeuronFacts) -> Look:
    """What of a neuron's state is worth an early heartbeat: its status, the band of its health, rollbacks for harm."""
    score = health(facts)
    return status(facts), "healthy" if score > 80 else "ailing" if score > 50 else "unhealthy", facts.harms


def reworded(before: NeuronFacts, after: NeuronFacts) -> bool:
    """Whether a value that the core may have found wrong is another now."""
    versions = (before.config_version, before.build_version), (after.config_version, after.build_version)
    return versions[0] != versions[1] or registration(before) != registration(after)
