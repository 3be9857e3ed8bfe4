"""The engine assembled: store, queue, watches, workers and periodic tasks, all under one leader."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from .api.names import LABEL_MANAGED_BY, MANAGER
from .cluster import FAULTS, Cluster
from .engine.queue import WorkQueue
from .engine.reflector import Reflector
from .engine.store import Key, Store
from .federation.board import FederationBoard
from .federation.service import federation_reporting
from .federation.state import FederationState
from .kinds import NEURON, VARIANT, WATCHED_KINDS, Kind
from .metrics import Metrics
from .reconcile import Reconciler
from .settings import Settings
from .telemetry import Telemetry

log = structlog.get_logger(__name__)

SELECTOR = f"{LABEL_MANAGED_BY}={MANAGER}"
SETTLE_SECONDS = 0.1
"""Changes of children come in bursts; a neuron waits this long for the rest of one."""
WATCH_SILENCE_SECONDS = 600.0


class Controller:
    """Everything that runs while this process leads."""

    def __init__(self, cluster: Cluster, settings: Settings, metrics: Metrics) -> None:
        self.store = Store()
        self.queue: WorkQueue[Key] = WorkQueue(time.monotonic, lambda: random.uniform(0.8, 1.2))  # noqa: S311 - backoff
        self._cluster = cluster
        self._settings = settings
        self._metrics = metrics
        self._telemetry = Telemetry(
            cluster, self.store, self.queue.add, direct=settings.in_cluster, period=settings.telemetry_seconds
        )
        self._board = FederationBoard(bool(settings.federation_url), self.store.neurons)
        self._reconciler = Reconciler(cluster, self.store, settings, self._telemetry, self._board)
        self._neurons = [self._reflector(NEURON, "", self.queue.add, space) for space in self._namespaces()]
        self._variants = [self._reflector(VARIANT, "", self.queue.add, space) for space in self._namespaces()]
        self._children = [
            self._reflector(kind, SELECTOR, self._child_changed, space)
            for kind in WATCHED_KINDS
            for space in self._namespaces()
        ]
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: Callable[[], None] = lambda: None
        self._register_gauges()

    async def start(self, failed: Callable[[], None]) -> None:
        """Learn everything, then work; ``failed`` is called when a task of the engine ends, which none may."""
        self._failed = failed
        for reflector in (*self._children, *self._variants, *self._neurons):
            await reflector.sync()
        log.info("synced", neurons=self.store.count(NEURON), variants=self.store.count(VARIANT))
        for reflector in self._watched:
            self._spawn(reflector.run())
        for _ in range(self._settings.workers):
            self._spawn(self._work())
        self._spawn(self._resync())
        self._spawn(self._telemetry.run())
        if self._settings.federation_url:
            self._spawn(self._federate())

    async def stop(self) -> None:
        """End every task; what was half done is found and finished by the next leader."""
        for task in self._tasks:
            task.remove_done_callback(self._ended)
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def seen(self, event: str | None, obj: dict[str, object]) -> None:
        """A change of a neuron, as kopf's watch tells it."""
        for key in self.store.see(NEURON, event, obj):
            self.queue.add(key)

    def silence(self) -> float:
        """Seconds for which the quietest watch has shown no sign of life."""
        now = time.monotonic()
        return max((now - reflector.active_at for reflector in self._watched), default=0.0)

    @property
    def _watched(self) -> list[Reflector]:
        """All but the neurons', which kopf watches."""
        return [*self._variants, *self._children]

    def _namespaces(self) -> tuple[str | None, ...]:
        return self._settings.watch_namespaces or (None,)

    def _reflector(self, kind: Kind, selector: str, changed: Callable[[Key], None], namespace: str | None) -> Reflector:
        return Reflector(self._cluster, self.store, kind, namespace, selector, changed, time.monotonic)

    def _child_changed(self, key: Key) -> None:
        self.queue.add_after(key, SETTLE_SECONDS)

    def _publish(self, key: Key, state: FederationState) -> None:
        self._board.publish(key, state)
        self.queue.add(key)

    async def _federate(self) -> None:
        await federation_reporting(
            self._cluster, self._settings, self._metrics.registry, self._board.facts, self._publish
        )

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            start = time.perf_counter()
            outcome = await self._attempt(key)
            self._metrics.reconciled(outcome, time.perf_counter() - start)
            self.queue.done(key)

    async def _attempt(self, key: Key) -> str:
        """Reconcile a neuron; whatever goes wrong with one is no other's trouble, and is tried again."""
        try:
            outcome = await self._reconciler.reconcile(key)
        except FAULTS as error:
            delay = self.queue.retry(key)
            log.warning("will retry", neuron=key[1], namespace=key[0], error=repr(error), seconds=round(delay, 1))
            return "retry"
        except Exception:
            delay = self.queue.retry(key)
            log.exception("reconciliation failed", neuron=key[1], namespace=key[0], seconds=round(delay, 1))
            return "error"
        self.queue.forget(key)
        if outcome == "stalled":
            self.queue.add_after(key, self._settings.stalled_retry_seconds)
        return outcome

    async def _resync(self) -> None:
        """List everything again now and then: a deletion that a watch missed is told by nothing else."""
        while True:
            await asyncio.sleep(self._settings.resync_seconds)
            for reflector in (*self._neurons, *self._watched):
                try:
                    await reflector.sync()
                except FAULTS as error:
                    log.warning("resync failed", kind=reflector.kind.name, error=repr(error))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            log.error("a task of the engine ended", error=repr(task.exception()))
        self._failed()

    def _register_gauges(self) -> None:
        gauge = self._metrics.gauge
        gauge("queue_depth", "Neurons that wait for a worker.", lambda: len(self.queue))
        gauge("queue_busy", "Neurons that are being reconciled.", lambda: self.queue.busy)
        gauge("queue_delayed", "Neurons that wait for their time.", lambda: self.queue.delayed)
        gauge("neurons", "Neurons that exist.", lambda: self.store.count(NEURON))
        gauge("variants", "Variants that exist.", lambda: self.store.count(VARIANT))
        gauge("watch_silence_seconds", "Time since the quietest watch showed a sign of life.", self.silence)
