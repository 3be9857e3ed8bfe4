"""Keeping the store true to the cluster for one kind: list in pages, then watch from there, for ever.

kopf could watch the children too, but spends ten times the CPU on each object (a worker task and several copies), and
misses deletions across a re-list; with eight objects to a neuron that is what a restart would cost.
"""

import asyncio
import sys
from collections.abc import Callable, Iterable

import structlog

from ..cluster import FAULTS, ApiError, Cluster
from ..kinds import OPTIONAL_KINDS, Kind
from .store import Key, Store

log = structlog.get_logger(__name__)

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_LACKING_PAUSE = 5.0
"""Between two looks whether the cluster has a kind by now."""


class Reflector:
    """One kind in one namespace, or in all of them (None)."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        kind: Kind,
        namespace: str | None,
        selector: str,
        changed: Callable[[Key], None],
        clock: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._store = store
        self.kind = kind
        self._namespace = namespace
        self._selector = selector
        self._changed = changed
        self._clock = clock
        self._version = 0
        self._lacking = False
        self.active_at = clock()
        """When something last happened, an error included: a watch that hangs is one of which nothing is heard."""

    async def sync(self) -> None:
        """Take a full list as true: what is not in it is gone, and all of it where the cluster lacks an optional kind.

        Once the cluster has that kind, every neuron may want an object of it.
        """
        lacked, self._lacking = self._lacking, False
        try:
            await self._list()
        except ApiError as error:
            if error.status != 404 or self.kind not in OPTIONAL_KINDS:
                raise
            self._lacking = True
            self._tell(self._store.prune(self.kind, (), sys.maxsize, self._namespace))
            self.active_at = self._clock()
        if lacked != self._lacking:
            log.info("kind is not there" if self._lacking else "kind is there", kind=self.kind.name)
            self._tell(self._store.neurons())

    async def _list(self) -> None:
        listed: set[Key] = set()
        async for items, version in self._cluster.pages(self.kind, self._namespace, self._selector):
            for obj in items:
                self._tell(self._store.put(self.kind, obj))
                listed.add((obj["metadata"]["namespace"], obj["metadata"]["name"]))
            self._version = version
        self._tell(self._store.prune(self.kind, listed, self._version, self._namespace))
        self.active_at = self._clock()

    async def run(self) -> None:
        """Watch until cancelled; after a gap that the server can't bridge, list again."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await (self._look_for_it() if self._lacking else self._watch())
                pause = _FIRST_PAUSE
                continue
            except ApiError as error:
                if error.status == 410 or (error.status == 404 and self.kind in OPTIONAL_KINDS):
                    pause = await self._resync_after_gap(pause)
                    continue
                log.warning("watch failed", kind=self.kind.name, error=str(error))
            except FAULTS as error:
                log.info("watch interrupted", kind=self.kind.name, error=repr(error))
            self.active_at = self._clock()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _resync_after_gap(self, pause: float) -> float:
        try:
            await self.sync()
        except FAULTS as error:
            log.warning("list failed", kind=self.kind.name, error=repr(error))
            await asyncio.sleep(pause)
            return min(pause * 2, _LONGEST_PAUSE)
        return _FIRST_PAUSE

    async def _look_for_it(self) -> None:
        await asyncio.sleep(_LACKING_PAUSE)
        await self.sync()

    async def _watch(self) -> None:
        async for event, obj in self._cluster.watch(self.kind, self._namespace, self._selector, self._version):
            self.active_at = self._clock()
            self._version = int(obj["metadata"]["resourceVersion"])
            if event == "BOOKMARK":
                continue
            self._tell(self._store.see(self.kind, event, obj))

    def _tell(self, neurons: Iterable[Key]) -> None:
        for key in neurons:
            self._changed(key)
