"""Which neuron speaks for an id, when several name the same one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .report import Key, NeuronFacts


@dataclass(slots=True)
class Claims:
    """Who speaks, and who may not, with the key of the neuron in its way."""

    owners: dict[str, NeuronFacts] = field(default_factory=dict)
    turned_away: dict[Key, Key] = field(default_factory=dict)


def settle(facts: Mapping[Key, NeuronFacts], holder_of: Callable[[str], Key | None]) -> Claims:
    """Give every id to its holder, the neuron that it was last reported for, re-created or not; else to the oldest."""
    claims = Claims()
    rivals: dict[str, list[NeuronFacts]] = {}
    for each in facts.values():
        first = claims.owners.setdefault(each.neuron_id, each)
        if first is not each:
            rivals.setdefault(each.neuron_id, [first]).append(each)
    for neuron_id, claimants in rivals.items():
        owner = min(claimants, key=_rank(holder_of(neuron_id)))
        claims.owners[neuron_id] = owner
        claims.turned_away.update({each.key: owner.key for each in claimants if each is not owner})
    return claims


def _rank(holder: Key | None) -> Callable[[NeuronFacts], tuple[bool, str, Key]]:
    return lambda facts: (facts.key != holder, facts.created, facts.key)
