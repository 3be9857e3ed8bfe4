"""Which model has which share of a neuron's traffic, as a table for the front door; pure.

A variant has its share only while a pod of it is ready; else the primary has it. The table is its own memory of who had
which slots of subjects (``slots`` says why), so that the one that stands is what the next is made from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .api.names import PRIMARY, variant_name
from .api.neuron import MLNeuron
from .desired.access import GRPC_PORT
from .desired.meta import digest
from .slots import SLOTS, Slots, allocated, decoded, encoded

MOST_VARIANTS: Final = 8
"""As many as the runtime has counters for."""

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Competitor:
    """A variant as the split sees it; ``share`` in hundredths of a percent."""

    name: str
    splits: bool
    share: int
    ready: bool
    created: str
    version: str | None = None
    address: str | None = None
    """Cluster IP of its Service. By its name a variant made anew would be looked for where the last one was, for as
    long as that is cached."""


@dataclass(frozen=True, slots=True)
class Excess:
    """Why the split that stands is not the one that is asked for; ``newest`` is the variant that is one too many."""

    newest: str
    message: str
    too_many: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """What is to hold now."""

    table: Object | None
    """For the front door; None where there never was a variant."""
    shares: Mapping[str, int]
    """Who answers how much, in hundredths of a percent; empty when nothing serves."""
    granted: Mapping[str, int]
    """The share that each variant has been given, whether it is ready or not."""
    front: str | None = None
    """The variant whose pods the neuron's Service selects; None for the primary's."""
    excess: Excess | None = None

    @property
    def revision(self) -> str | None:
        """Of the table."""
        return str(self.table["revision"]) if self.table else None


def split(neuron: MLNeuron, competitors: Sequence[Competitor], primary_ready: bool, before: Object | None) -> Split:
    """The split that is to hold; ``before`` is the table that stands."""
    ranked = sorted(competitors, key=lambda one: (one.created, one.name))
    among, excess = ranked[:MOST_VARIANTS], _crowd(ranked)
    granted = {one.name: one.share for one in among}
    over = _excess(among)
    if over is not None:
        granted, excess = _last_good(among, before), over
    if not among and before is None:
        return Split(None, {PRIMARY: SLOTS} if primary_ready else {}, {}, excess=excess)
    held = allocated({one.name: granted[one.name] for one in among if one.splits}, _held(before))
    table = _table(neuron, [_entry(neuron, one, granted[one.name], held.get(one.name)) for one in among])
    ready = {one.name: granted[one.name] for one in among if one.splits and one.ready and granted[one.name]}
    if not primary_ready and ready:
        front = max(ready, key=lambda name: (ready[name], name))
        return Split(table, {front: SLOTS}, granted, front, excess)
    shares = {PRIMARY: SLOTS - sum(ready.values()), **dict(sorted(ready.items()))} if primary_ready else {}
    return Split(table, shares, granted, excess=excess)


def _crowd(ranked: Sequence[Competitor]) -> Excess | None:
    if len(ranked) <= MOST_VARIANTS:
        return None
    rest = ", ".join(one.name for one in ranked[MOST_VARIANTS:])
    said = f"a neuron takes {MOST_VARIANTS} variants at most; {rest} get no traffic until others are deleted"
    return Excess(ranked[-1].name, said, too_many=True)


def _excess(among: Sequence[Competitor]) -> Excess | None:
    splitting = [one for one in among if one.splits]
    total = sum(one.share for one in splitting)
    if total <= SLOTS:
        return None
    named = ", ".join(f"{one.name} {percent(one.share):g}" for one in splitting)
    said = f"the shares add up to {percent(total):g} % ({named}): lower one; the split that was in effect before stays"
    return Excess(splitting[-1].name, said)


def _last_good(among: Sequence[Competitor], before: Object | None) -> dict[str, int]:
    """What each had; less where less is asked for, so that a variant can leave at any time."""
    had = {item["name"]: item["wanted"] for item in _variants(before) if item["mode"] == "Split"}
    return {one.name: min(one.share, had.get(one.name, 0)) if one.splits else one.share for one in among}


def _held(before: Object | None) -> dict[str, Slots]:
    """Who had which slots, also those of variants that were away."""
    texts = {item["name"]: item.get("held") or item.get("slots") for item in _variants(before)}
    return {name: decoded(text) for name, text in texts.items() if text}


def _variants(table: Object | None) -> list[Object]:
    return list(table["variants"]) if table else []


def _entry(neuron: MLNeuron, one: Competitor, share: int, held: Slots | None) -> Object:
    """A variant in the table. Beside what the runtime reads, ``wanted`` is its share when ready, in hundredths of a
    percent, and ``held`` the slots that it will have then."""
    host = one.address or f"{variant_name(neuron.name, one.name)}.{neuron.namespace}.svc"
    host = f"[{host}]" if ":" in host else host
    entry: Object = {
        "name": one.name,
        "mode": "Split" if one.splits else "Shadow",
        "percent": percent(share) if one.ready else 0.0,
        "wanted": share,
        "url": f"http://{host}:80",
        "grpc": f"{host}:{GRPC_PORT}" if neuron.spec.serving.grpc else None,
        "version": one.version,
    }
    if held is None:
        return entry
    return {**entry, **({"slots": encoded(held)} if one.ready else {"slots": encoded(()), "held": encoded(held)})}


def _table(neuron: MLNeuron, variants: Sequence[Object]) -> Object:
    spec = neuron.spec.traffic
    table = {"subject": {"header": spec.subject_header, "field": spec.subject_field}, "variants": list(variants)}
    return {"revision": digest(table, 12), **table}


def percent(share: int) -> float:
    """Hundredths of a percent as percent."""
    return share / 100


def hundredths(share: float) -> int:
    """Percent as hundredths of a percent."""
    return round(share * 100)


def in_words(shares: Mapping[str, int]) -> str:
    """The split in one line, such as primary=90 candidate=10."""
    return " ".join(f"{name}={percent(share):g}" for name, share in shares.items()) or "none"
