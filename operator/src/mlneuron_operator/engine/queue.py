"""A work queue of keys: each key once, never by two workers, with delays and backoff (client-go's workqueue)."""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """Keys that are due.

    A key added while it waits is one key; added while it is worked on, it comes again afterwards. ``clock`` gives
    seconds on any monotonic scale, ``jitter`` a factor for each backoff.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        jitter: Callable[[], float] = lambda: 1.0,
        first_backoff: float = 0.5,
        longest_backoff: float = 300.0,
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._first = first_backoff
        self._longest = longest_backoff
        self._ready: dict[K, None] = {}
        self._busy: set[K] = set()
        self._again: set[K] = set()
        self._delayed: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._order = itertools.count()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def busy(self) -> int:
        """How many keys are worked on."""
        return len(self._busy)

    @property
    def delayed(self) -> int:
        """How many keys wait for their time."""
        return len(self._due)

    def add(self, key: K) -> None:
        """The key is due now."""
        self._due.pop(key, None)
        if key in self._busy:
            self._again.add(key)
        elif key not in self._ready:
            self._ready[key] = None
            self._wake.set()

    def add_after(self, key: K, delay: float) -> None:
        """The key is due in ``delay`` seconds; the earlier of two times counts."""
        when = self._clock() + delay
        if key in self._ready or self._due.get(key, when) < when:
            return
        self._due[key] = when
        heapq.heappush(self._delayed, (when, next(self._order), key))
        self._wake.set()

    def retry(self, key: K) -> float:
        """The key failed: due again after a backoff that doubles each time; the seconds until then."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay: float = min(self._longest, self._first * 2.0 ** min(failures, 30)) * self._jitter()
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """The key succeeded: its next failure backs off from the start."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next due key; it is worked on until ``done``."""
        while True:
            self._promote()
            if self._ready:
                key = next(iter(self._ready))
                del self._ready[key]
                self._busy.add(key)
                return key
            self._wake.clear()
            await self._sleep()

    def done(self, key: K) -> None:
        """The key is not worked on any more; if it was added meanwhile, it is due."""
        self._busy.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def _promote(self) -> None:
        now = self._clock()
        while self._delayed and self._delayed[0][0] <= now:
            when, _, key = heapq.heappop(self._delayed)
            if self._due.get(key) == when:
                self.add(key)

    async def _sleep(self) -> None:
        delay = self._delayed[0][0] - self._clock() if self._delayed else None
        try:
            async with asyncio.timeout(None if delay is None else max(0.0, delay)):
                await self._wake.wait()
        except TimeoutError:
            pass
