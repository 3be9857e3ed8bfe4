"""What the operator knows of the cluster: every watched object once, found by kind and by neuron.

Objects are kept as JSON bytes: a Deployment is 2.5 kB so and 15 kB as dictionaries, and it is read only when its neuron
is reconciled. Nothing here awaits, so nothing here locks.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from ..api.names import LABEL_NEURON
from ..kinds import NEURON, VARIANT, Kind
from .trim import trim

Key = tuple[str, str]
"""(namespace, name) of a neuron."""

Object = dict[str, Any]


class Entry(NamedTuple):
    """One object as the store keeps it."""

    uid: str
    version: int
    neuron: Key
    raw: bytes

    def load(self) -> Object:
        """The trimmed object as dictionaries of the caller's own."""
        loaded: Object = orjson.loads(self.raw)
        return loaded


class Store:
    """The newest known state of every watched object.

    Watches of different kinds, own writes and full lists arrive in any order; the resource version decides what is
    newer, and a deletion is remembered with its version, so that a late update can't bring the object back. (By
    version, not by uid alone: to a watch with a label selector an object that loses its label is deleted, and may
    come back.)
    """

    def __init__(self, tombstones: int = 10_000) -> None:
        self._entries: dict[Kind, dict[Key, Entry]] = {}
        self._by_neuron: dict[Key, dict[tuple[Kind, str], Entry]] = {}
        self._gone: dict[str, int] = {}
        self._max_gone = tombstones

    def put(self, kind: Kind, obj: Object) -> set[Key]:
        """Remember the object; the neuron that it changes: none when it tells nothing new, two when it changes hands.

        An object that no longer says whose it is (its label was taken off) is as good as deleted.
        """
        meta = obj["metadata"]
        owner = _neuron_of(kind, obj)
        key, version = (meta["namespace"], meta["name"]), int(meta["resourceVersion"])
        if owner is None:
            return self._remove(kind, key, meta["uid"], version)
        if self._gone.get(meta["uid"], -1) >= version:
            return set()
        known = self._entries.setdefault(kind, {}).get(key)
        if known is not None and known.version >= version:
            return set()
        entry = Entry(meta["uid"], version, owner, _packed(trim(kind, obj)))
        if known is not None:
            self._unlink(kind, key, known)
        self._entries[kind][key] = entry
        self._by_neuron.setdefault(owner, {})[kind, key[1]] = entry
        if known is None:
            return {owner}
        return set() if known.raw == entry.raw else {owner, known.neuron}

    def delete(self, kind: Kind, obj: Object) -> set[Key]:
        """Forget the object; its neuron, or none when it was not known."""
        meta = obj["metadata"]
        return self._remove(kind, (meta["namespace"], meta["name"]), meta["uid"], int(meta["resourceVersion"]))

    def see(self, kind: Kind, event: str | None, obj: Object) -> set[Key]:
        """Take in an event of a watch, by its type; the neurons that it changes."""
        return self.delete(kind, obj) if event == "DELETED" else self.put(kind, obj)

    def prune(self, kind: Kind, listed: Collection[Key], before: int, namespace: str | None) -> set[Key]:
        """Forget objects that a full list of a kind (in one namespace, or in all) lacks; the keys of their neurons.

        ``before`` is the list's resource version: what became known after it, by a watch or an own write, stays.
        """
        missing = [
            (key, entry)
            for key, entry in self._entries.get(kind, {}).items()
            if key not in listed and entry.version <= before and namespace in (None, key[0])
        ]
        return {owner for key, entry in missing for owner in self._remove(kind, key, entry.uid, before)}

    def neuron(self, key: Key) -> Object | None:
        """The neuron itself, or None when it is gone."""
        entry = self._entries.get(NEURON, {}).get(key)
        return entry.load() if entry else None

    def neurons(self) -> Iterator[Key]:
        """Keys of all neurons."""
        return iter(self._entries.get(NEURON, {}))

    def owned(self, key: Key, kinds: Iterable[Kind]) -> dict[tuple[Kind, str], Object]:
        """The neuron's children of these kinds by kind and name."""
        wanted = set(kinds)
        entries = self._by_neuron.get(key, {})
        return {ref: entry.load() for ref, entry in entries.items() if ref[0] in wanted}

    def count(self, kind: Kind) -> int:
        """How many objects of a kind are known."""
        return len(self._entries.get(kind, {}))

    def _remove(self, kind: Kind, key: Key, uid: str, version: int) -> set[Key]:
        self._bury(uid, version)
        known = self._entries.get(kind, {}).get(key)
        if known is None or known.uid != uid:
            return set()
        del self._entries[kind][key]
        self._unlink(kind, key, known)
        return {known.neuron}

    def _unlink(self, kind: Kind, key: Key, entry: Entry) -> None:
        siblings = self._by_neuron.get(entry.neuron, {})
        siblings.pop((kind, key[1]), None)
        if not siblings:
            self._by_neuron.pop(entry.neuron, None)

    def _bury(self, uid: str, version: int) -> None:
        self._gone[uid] = version
        if len(self._gone) > self._max_gone:
            del self._gone[next(iter(self._gone))]


def _neuron_of(kind: Kind, obj: Object) -> Key | None:
    meta = obj["metadata"]
    if kind is NEURON:
        return meta["namespace"], meta["name"]
    name = obj["spec"].get("neuron") if kind is VARIANT else meta.get("labels", {}).get(LABEL_NEURON)
    return (meta["namespace"], name) if name else None


def _packed(obj: Object) -> bytes:
    """JSON in exactly as many bytes as it takes: orjson's own result keeps the 1-8 kB that it was built in."""
    return bytes(memoryview(orjson.dumps(obj)))
