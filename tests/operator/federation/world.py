"""A reporter with a real client, a fake core behind real HTTP, a clock that tests move, and a vault in memory."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from mlneuron_operator.federation.client import FederationClient, Timeouts
from mlneuron_operator.federation.conversation import Clock
from mlneuron_operator.federation.metrics import FederationMetrics
from mlneuron_operator.federation.records import TokenRecord
from mlneuron_operator.federation.report import Key, NeuronFacts
from mlneuron_operator.federation.reporter import Reporter
from mlneuron_operator.federation.schedule import Pace
from mlneuron_operator.federation.state import FederationState
from prometheus_client import CollectorRegistry

from tests.support.fake_core import FakeCore

CHURN = ("ml", "churn")


def facts(namespace: str = "ml", name: str = "churn", **changes: Any) -> NeuronFacts:
    """A neuron that serves."""
    plain = NeuronFacts(
        key=(namespace, name),
        uid=f"uid-{namespace}-{name}",
        neuron_id=f"{namespace}.{name}",
        display_name=name,
        framework="sklearn",
        ready=True,
        version="1.0.0",
        capabilities=("churn-prediction",),
        url=f"http://{name}.{namespace}.svc:80",
        health_score=100,
        started_at=1_800_000_000.0 - 90,
        replicas_ready=2,
        replicas_desired=2,
        resources={"requests": {"cpu": "1"}},
        model_uri="https://user:pw@models.example.com/churn.joblib?signature=abc",
        created="2026-01-01T00:00:00Z",
        ports=(8080, 8081, 9090),
    )
    return replace(plain, **changes)


@dataclass
class FakeTime:
    """Both clocks, moved by tests."""

    now: float = 1000.0
    epoch: float = 1_800_000_000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.epoch + self.now - 1000.0


@dataclass
class MemoryVault:
    """A vault that outlives the reporters of a test, and can be out of order."""

    records: dict[str, TokenRecord] = field(default_factory=dict)
    broken: bool = False

    async def load(self) -> dict[str, TokenRecord]:
        self._check()
        return dict(self.records)

    async def save(self, record: TokenRecord) -> None:
        self._check()
        self.records[record.neuron_id] = record

    def _check(self) -> None:
        if self.broken:
            raise OSError("the API server is away")


@dataclass
class World:
    """Everything that a test of the reporter touches."""

    core: FakeCore
    url: str
    session: aiohttp.ClientSession
    time: FakeTime
    vault: MemoryVault = field(default_factory=MemoryVault)
    neurons: dict[Key, NeuronFacts] | None = field(default_factory=dict)
    published: list[tuple[Key, FederationState]] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    publish_fails: bool = False
    pace: Pace = field(default_factory=Pace)
    reporter: Reporter = field(init=False)

    async def start(self) -> None:
        """A leader begins; a second call is a new leader with nothing but the vault."""
        self.reporter = self.new_reporter()
        await self.reporter.load()

    def new_reporter(self, sleep: Any = None) -> Reporter:
        self.registry = CollectorRegistry()
        metrics = FederationMetrics(self.registry, self.time.wall)
        timeouts = Timeouts(connect=1.0, call=1.0, register=1.0)
        return Reporter(
            client=FederationClient(self.url, self.session, metrics, timeouts),
            vault=self.vault,
            facts=lambda: self.neurons,
            publish=self.publish,
            metrics=metrics,
            clock=Clock(self.time.monotonic, self.time.wall),
            rng=random.Random(7),  # noqa: S311 - jitter
            sleep=sleep or self.sleep,
            pace=self.pace,
        )

    def publish(self, key: Key, state: FederationState) -> None:
        if self.publish_fails:
            raise OSError("no status today")
        self.published.append((key, state))

    async def sleep(self, seconds: float) -> None:
        self.time.now += seconds

    async def step(self) -> None:
        """One tick, and all that it begins."""
        self.reporter.tick()
        await self.reporter.idle()

    async def until_called(self, call: str, times: int = 1) -> None:
        """Wait, for real, until the core has been called so often."""
        async with asyncio.timeout(5):
            while self.core.calls[call] < times:  # noqa: ASYNC110 - a poll with a deadline
                await asyncio.sleep(0.001)

    async def run(self, seconds: int) -> None:
        """Ticks for so long, one a second; the first at once."""
        for _ in range(seconds):
            await self.step()
            self.time.now += 1.0

    def put(self, *neurons: NeuronFacts) -> None:
        """These neurons are there (too)."""
        self.neurons = {**(self.neurons or {}), **{each.key: each for each in neurons}}

    def remove(self, key: Key = CHURN) -> None:
        """This neuron is gone."""
        self.neurons = {k: v for k, v in (self.neurons or {}).items() if k != key}

    def state(self, key: Key = CHURN) -> FederationState:
        """What was last published."""
        return next(state for k, state in reversed(self.published) if k == key)

    def beats(self, neuron_id: str = "ml.churn") -> list[dict[str, Any]]:
        """The heartbeats that the core stored."""
        return self.core.rows[neuron_id].heartbeats

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@asynccontextmanager
async def make_world() -> AsyncIterator[World]:
    """A world with a started reporter."""
    time = FakeTime()
    core = FakeCore(clock=time.wall)
    async with core.serve() as url, aiohttp.ClientSession() as session:
        world = World(core, url, session, time)
        await world.start()
        yield world
