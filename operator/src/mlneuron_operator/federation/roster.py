"""Every id's standing, and what changes it from outside the talk: neurons come, change and go, tokens are restored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .claims import settle
from .neuron import Standing, Step, holder, look, next_step, reworded
from .records import TokenRecord
from .report import Key, NeuronFacts
from .schedule import Pace, next_slot, phase
from .state import FederationReason

REFUSALS = frozenset(
    {
        FederationReason.REGISTRATION_REFUSED,
        FederationReason.TOKEN_REJECTED,
        FederationReason.INVALID_REPORT,
    }
)


@dataclass(slots=True)
class Roster:
    """The standings by neuron id. Times are monotonic seconds; wall ones are seconds since the epoch."""

    pace: Pace
    standings: dict[str, Standing] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Standing]:
        return iter(self.standings.values())

    def observe(self, facts: Mapping[Key, NeuronFacts], now: float, wall: float) -> dict[Key, Key]:
        """Take in the neurons that are there. Gives those turned away, with the neuron that holds their id."""
        claims = settle(facts, lambda neuron_id: holder(self.standings.get(neuron_id)))
        for owner in claims.owners.values():
            self._see(owner, now, wall)
        for standing in list(self):
            if standing.neuron_id not in claims.owners:
                self._miss(standing, now)
        return claims.turned_away

    def due(self, now: float) -> list[Standing]:
        """Those that have a step to take now, the longest waiting first."""
        ready = [each for each in self if each.due <= now and not each.busy and next_step(each)]
        return sorted(ready, key=lambda each: each.due)

    def overlong_goodbyes(self, now: float) -> list[Standing]:
        """Those whose goodbye was tried long enough."""
        return [
            each
            for each in self
            if each.leaving_since is not None
            and now - each.leaving_since >= self.pace.goodbye
            and not each.busy
            and next_step(each) is Step.GOODBYE
        ]

    def compare(self, stored: Mapping[str, TokenRecord], now: float) -> None:
        """Take up records that memory lacks, and mark those to save that the vault lacks."""
        for record in stored.values():
            self.take_up(record, now)
        for each in self:
            if not each.busy and each.record is not None and stored.get(each.neuron_id) != each.record:
                each.unsaved, each.due = True, now

    def take_up(self, record: TokenRecord, now: float) -> None:
        """A kept record; it yields to the one in memory, unless it brings another token than a rejected one."""
        standing = self._standing(record.neuron_id, now)
        replaced = standing.rejected and standing.record is not None and standing.record.token != record.token
        if not standing.busy and (standing.record is None or replaced):
            standing.record, standing.rejected, standing.due, standing.failures = record, False, now, 0

    def spread(self, now: float) -> None:
        """The core is back: let all that waited for it speak one after another, not at once."""
        waiting = [each for each in self if _waits_for_core(each, now)]
        window = min(self.pace.heartbeat, len(waiting) / self.pace.recovery_rate)
        for each in waiting:
            each.due, each.failures = now + phase(each.neuron_id) * window, 0

    def _standing(self, neuron_id: str, now: float) -> Standing:
        return self.standings.setdefault(neuron_id, Standing(neuron_id, due=now))

    def _see(self, facts: NeuronFacts, now: float, wall: float) -> None:
        standing = self._standing(facts.neuron_id, now)
        known = standing.facts
        if known is facts:
            return
        if known is None or (known.uid, known.key) != (facts.uid, facts.key):
            standing.arrive(facts, now + self._wait_of_arrival(standing, facts, wall))
            return
        standing.facts = facts
        reason = standing.state.reason if standing.state else None
        if reason is FederationReason.REGISTERED and standing.look not in (None, look(facts)):
            spoke_at = now if standing.spoke_at is None else standing.spoke_at
            standing.due = min(standing.due, max(now, spoke_at + self.pace.early))
        elif reason is FederationReason.INVALID_REPORT and reworded(known, facts):
            standing.due = now

    def _wait_of_arrival(self, standing: Standing, facts: NeuronFacts, wall: float) -> float:
        """None, but for a neuron that another leader spoke for until now: it keeps its slot."""
        record = standing.record
        spoken_for = record and (record.uid, record.key, record.departed_at) == (facts.uid, facts.key, None)
        if not spoken_for or standing.leaving_since is not None:
            return 0.0
        return next_slot(facts.neuron_id, self.pace.heartbeat, wall, spoke=False)

    def _miss(self, standing: Standing, now: float) -> None:
        """The id has no neuron: begin its goodbye, or forget it when it never had a token."""
        unsaid = next_step(standing) is Step.GOODBYE and standing.leaving_since is None
        if standing.facts is not None or unsaid:
            standing.leave(now)
        elif standing.record is None and not standing.busy:
            del self.standings[standing.neuron_id]


def _waits_for_core(standing: Standing, now: float) -> bool:
    if standing.busy or next_step(standing) is None:
        return False
    refused = standing.state is not None and standing.state.reason in REFUSALS
    return standing.due <= now or (standing.failures > 0 and not refused)
