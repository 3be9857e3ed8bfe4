"""Which neuron speaks for an id, when several name the same one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .report import Key, NeuronFacts

Holder = tuple[str, Key]
"""Uid and key of the neuron that an id was last reported for."""


@dataclass(slots=True)
class Claims:
    """Who speaks, and who may not, with the key of the neuron in its way."""

    owners: dict[str, NeuronFacts] = field(default_factory=dict)
    turned_away: dict[Key, Key] = field(default_factory=dict)


def settle(facts: Mapping[Key, NeuronFacts], holder_of: Callable[[str], Holder | None]) -> Claims:
    """Give every id to its holder; without one to the neuron that was made first."""
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


def _rank(holder: Holder | None) -> Callable[[NeuronFacts], tuple[bool, bool, str, Key]]:
    uid, key = holder or ("", None)

    def rank(facts: NeuronFacts) -> tuple[bool, bool, str, Key]:
        return facts.uid != uid, facts.key != key, facts.created, facts.key

    return rank
