"""Reading the neurons' own statistics from their ready pods, every few seconds and as soon as a pod becomes ready."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aiohttp
import structlog

from .cluster import ApiError, Cluster
from .desired.access import METRICS_PORT
from .engine.store import Key, Store
from .health import Sample
from .kinds import POD
from .lately import Lately
from .observation import is_ready

log = structlog.get_logger(__name__)

Object = dict[str, Any]
_TIMEOUT_SECONDS = 2.0
_CONCURRENCY = 16
_TICK_SECONDS = 0.5


class Telemetry:
    """The newest sample of each ready pod; ``changed`` is told a neuron whose samples say something new."""

    def __init__(
        self, cluster: Cluster, store: Store, changed: Callable[[Key], None], *, direct: bool, period: float
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._changed = changed
        self._direct = direct
        self._period = period
        self._samples: dict[Key, dict[str, Sample]] = {}
        self._lately = Lately()
        self._fresh: asyncio.Queue[Key] = asyncio.Queue()
        self._asked: set[Key] = set()
        self._paces: dict[Key, float] = {}
        self._slots = asyncio.Semaphore(_CONCURRENCY)

    def samples(self, key: Key, current: Sequence[Object], ready: Sequence[Object]) -> list[Sample]:
        """Samples of the ready pods of the newest revision; of any ready pod while that has none.

        A ready pod that has not been read yet is read at once.
        """
        known: Mapping[str, Sample] = self._samples.get(key, {})
        if any(pod["metadata"]["uid"] not in known for pod in ready) and key not in self._asked:
            self._asked.add(key)
            self._fresh.put_nowait(key)
        newest = [known[uid] for uid in _uids(pod for pod in current if is_ready(pod)) if uid in known]
        return newest or [known[uid] for uid in _uids(ready) if uid in known]

    def heard(self, key: Key, pods: Sequence[Object]) -> list[Sample | None]:
        """The sample of each of these pods, None where it has not been read yet."""
        known = self._samples.get(key, {})
        return [known.get(uid) for uid in _uids(pods)]

    def pace(self, key: Key, seconds: float | None) -> None:
        """Look at the neuron's pods this often, each look followed by a reconciliation; in the usual way with None."""
        if seconds is None:
            self._paces.pop(key, None)
        else:
            self._paces[key] = seconds

    def forget(self, key: Key) -> None:
        """The neuron is gone."""
        self._samples.pop(key, None)
        self._lately.forget(key)
        self._paces.pop(key, None)

    async def run(self) -> None:
        """Read until cancelled: all neurons each period, new pods at once."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_new())
            tasks.create_task(self._read_all())
            tasks.create_task(self._look())

    async def _read_new(self) -> None:
        while True:
            key = await self._fresh.get()
            self._asked.discard(key)
            await self._read(key)

    async def _read_all(self) -> None:
        while True:
            await asyncio.sleep(self._period)
            await asyncio.gather(*(self._read(key) for key in list(self._store.neurons())))

    async def _look(self) -> None:
        """Read those that are looked at more often, each at its pace, and have them reconciled."""
        last: dict[Key, float] = {}
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            now = time.monotonic()
            due = [key for key, pace in self._paces.items() if now - last.get(key, 0.0) >= pace]
            last = {key: now if key in due else last.get(key, 0.0) for key in self._paces}
            await asyncio.gather(*(self._read(key) for key in due))
            for key in due:
                self._changed(key)

    async def _read(self, key: Key) -> None:
        pods = [pod for (_, _), pod in self._store.owned(key, (POD,)).items() if is_ready(pod)]
        before = self._samples.get(key, {})
        read = await asyncio.gather(*(self._sample(pod) for pod in pods))
        after = {
            uid: sample or before[uid]
            for uid, sample in zip(_uids(pods), read, strict=True)
            if sample is not None or uid in before
        }
        if not after:
            self._samples.pop(key, None)
            self._lately.forget(key)
            return
        after = self._lately.look(key, before, after, time.monotonic())
        self._samples[key] = after
        if {uid: sample.told() for uid, sample in after.items()} != {uid: s.told() for uid, s in before.items()}:
            self._changed(key)

    async def _sample(self, pod: Object) -> Sample | None:
        meta = pod["metadata"]
        proxy = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}:{METRICS_PORT}/proxy/stats"
        url = f"http://{pod['ip']}:{METRICS_PORT}/stats" if self._direct else proxy
        try:
            async with self._slots:
                return Sample.parse(await self._cluster.fetch_json(url, _TIMEOUT_SECONDS))
        except (ApiError, aiohttp.ClientError, TimeoutError, KeyError, TypeError, ValueError) as error:
            log.debug("no statistics from pod", pod=meta["name"], namespace=meta["namespace"], error=repr(error))
            return None


def _uids(pods: Any) -> list[str]:
    return [pod["metadata"]["uid"] for pod in pods]
