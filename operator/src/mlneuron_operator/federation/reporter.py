"""Who talks to the core when: one level-triggered reporter in the leader, for every neuron.

Each tick compares the neurons that are there with the kept tokens and does what the difference says; nothing depends on
having seen an event, so a restart loses nothing and no finalizer holds a deletion up.
"""

import asyncio
import random
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import structlog

from . import messages
from .circuit import Circuit
from .client import FederationClient
from .conversation import Clock, Conversation
from .metrics import FederationMetrics
from .neuron import Standing, Step, next_step
from .report import Key, NeuronFacts
from .roster import Roster
from .schedule import OUTAGE, Pace
from .state import FederationReason, FederationState, worth_publishing
from .vault import TokenVault, trouble

log = structlog.get_logger(__name__)

Facts = Callable[[], Mapping[Key, NeuronFacts] | None]
"""The neurons that are there now; None while that is not known yet, when nobody must be told goodbye."""
Publish = Callable[[Key, FederationState], None]

DRAIN_SECONDS = 10.0


class Reporter:
    """Run it as one task in the leader; cancel that task to stop."""

    def __init__(
        self,
        *,
        client: FederationClient,
        vault: TokenVault,
        facts: Facts,
        publish: Publish,
        metrics: FederationMetrics,
        clock: Clock,
        rng: random.Random,
        sleep: Callable[[float], Awaitable[None]],
        pace: Pace | None = None,
    ) -> None:
        self._pace = pace or Pace()
        self._clock, self._rng, self._sleep = clock, rng, sleep
        self._vault, self._facts, self._metrics = vault, facts, metrics
        self._publish_state = publish
        self._circuit = Circuit(rng.random)
        self._talk = Conversation(client, vault, self._circuit, clock, self._pace, rng)
        self._roster = Roster(self._pace)
        self._published: dict[Key, tuple[str, FederationState]] = {}
        """With the uid of the neuron that it was published for: a re-created one starts with an empty status."""
        self._queue: deque[Standing] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._outage = False
        self._holding = False

    async def run(self) -> None:
        """Report until cancelled; then end what is under way, so that no token is lost."""
        await self._load_at_last()
        resync_at = self._clock.monotonic() + self._pace.resync
        try:
            while True:
                self._tick_safely()
                if self._clock.monotonic() >= resync_at:
                    resync_at = self._clock.monotonic() + self._pace.resync
                    self._spawn(self.resync())
                await self._sleep(self._pace.tick)
        finally:
            await self._drain()

    async def load(self) -> None:
        """Read the kept tokens; before that nothing may be registered."""
        now = self._clock.monotonic()
        for record in (await self._vault.load()).values():
            self._roster.take_up(record, now)

    def tick(self) -> None:
        """Look at what is, and begin what is due."""
        facts = self._facts()
        if facts is None:
            return
        now = self._clock.monotonic()
        turned_away = self._roster.observe(facts, now, self._clock.wall())
        for key, owner in turned_away.items():
            self._turn_away(facts[key], owner)
        for key in self._published.keys() - facts.keys():
            del self._published[key]
        for standing in self._roster.overlong_goodbyes(now):
            log.warning("goodbye given up, the core did not answer", neuron_id=standing.neuron_id)
            self._start(standing, partial(self._talk.depart, standing))
        self._holding = any(each.unsaved and not each.busy for each in self._roster)
        self._queue = deque(self._roster.due(now))
        self._pump()
        self._tell_outage(now)
        self._metrics.registered(sum(1 for each in self._roster if each.facts and each.record))

    async def idle(self) -> None:
        """Wait until all that was begun has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def resync(self) -> None:
        """Mend what went apart: Secrets deleted by hand are written again, restored ones are taken up."""
        try:
            stored = await self._vault.load()
        except Exception as error:  # whatever the cluster client raises; the next resync is soon enough
            log.warning("tokens not compared", error=trouble(error))
            return
        self._roster.compare(stored, self._clock.monotonic())

    def _turn_away(self, facts: NeuronFacts, owner: Key) -> None:
        message = messages.taken(facts.neuron_id, owner)
        self._publish(facts, FederationState(FederationReason.NEURON_ID_TAKEN, False, message, facts.neuron_id))

    def _pump(self) -> None:
        now = self._clock.monotonic()
        while self._queue and len(self._tasks) < self._pace.concurrency:
            standing = self._queue.popleft()
            step = None if standing.busy else self._permitted(next_step(standing), standing, now)
            if step is not None:
                probing = self._circuit.open and step is not Step.SAVE
                self._start(standing, partial(self._talk.take, step, standing), probing=probing)

    def _permitted(self, step: Step | None, standing: Standing, now: float) -> Step | None:
        """The step, or what may be done in its place."""
        if step is Step.REGISTER and self._holding:
            self._talk.say(standing, FederationReason.REGISTERING, None, messages.held_back())
            self._tell(standing)
            return None
        if step is None or step is Step.SAVE or self._circuit.admit(now):
            return step
        return Step.SAVE if standing.unsaved else None

    def _start(self, standing: Standing, work: Callable[[], Awaitable[None]], *, probing: bool = False) -> None:
        standing.busy = True
        self._spawn(self._carry_out(standing, work, probing=probing))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._pump()

    async def _carry_out(self, standing: Standing, work: Callable[[], Awaitable[None]], *, probing: bool) -> None:
        spoken_for = standing.facts and standing.facts.uid
        try:
            await work()
        except Exception:  # a fault of ours must not end every neuron's reporting
            trace = traceback.format_exc()  # without local variables, which hold tokens
            log.error("reporting failed", neuron_id=standing.neuron_id, trace=trace)
            standing.failures += 1
            standing.due = self._clock.monotonic() + OUTAGE.delay(standing.failures, self._rng.random)
        finally:
            standing.busy = False
            if probing:
                self._circuit.abandoned()
            if spoken_for != (standing.facts and standing.facts.uid):
                standing.state, standing.due = None, self._clock.monotonic()
            self._holding = self._holding or standing.unsaved
        self._tell(standing)
        self._note_outage()

    def _note_outage(self) -> None:
        """Log the core's going and coming; when it comes, let the neurons speak again one after another."""
        if self._circuit.open and not self._outage:
            log.warning("federation core is down", cause=self._circuit.cause)
        elif self._outage and not self._circuit.open:
            log.info("federation core is back")
            self._roster.spread(self._clock.monotonic())
            self._queue.clear()
        self._outage = self._circuit.open

    def _tell_outage(self, now: float) -> None:
        """Neurons that were not called, since the core is known to be down, are told so as well."""
        if not self._circuit.open:
            return
        for each in self._roster:
            if each.facts is not None and not each.busy and each.due <= now:
                self._talk.unheard(each, self._circuit.cause)
                self._tell(each)

    def _tell(self, standing: Standing) -> None:
        if standing.facts is not None and standing.state is not None:
            self._publish(standing.facts, standing.state)

    def _publish(self, facts: NeuronFacts, state: FederationState) -> None:
        uid, before = self._published.get(facts.key, ("", None))
        if not worth_publishing(before if uid == facts.uid else None, state):
            return
        self._published[facts.key] = facts.uid, state
        try:
            self._publish_state(facts.key, state)
        except Exception:  # the status is not worth the reporting
            log.error("state not published", key=facts.key, trace=traceback.format_exc())

    def _tick_safely(self) -> None:
        try:
            self.tick()
        except Exception:  # the next tick looks anew
            log.error("tick failed", trace=traceback.format_exc())

    async def _load_at_last(self) -> None:
        failures = 0
        while True:
            try:
                return await self.load()
            except Exception as error:  # whatever the cluster client raises: without tokens nothing can begin
                failures += 1
                log.warning("tokens not loaded", error=trouble(error))
                await self._sleep(OUTAGE.delay(failures, self._rng.random))

    async def _drain(self) -> None:
        """Let calls end and records be saved: an interrupted registration would lose its token for ever."""
        self._queue.clear()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self.idle()
                for each in [each for each in self._roster if each.unsaved]:
                    await self._talk.take(Step.SAVE, each)
        except TimeoutError:
            log.warning("reporting cut off", calls=len(self._tasks))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
