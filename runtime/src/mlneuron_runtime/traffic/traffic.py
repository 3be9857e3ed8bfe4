"""What one process knows of the variants: the table in force, their connections and counters, and their shadows.

The table is a file that changes: the kubelet exchanges the folder behind it. One look each half second sees that; a
table that cannot be used leaves the last good one in force.
"""

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from mlneuron_runtime.errors import UnknownVersion
from mlneuron_runtime.settings import Identity
from mlneuron_runtime.tallies import Tallies
from mlneuron_runtime.traffic.counters import Board, Counters
from mlneuron_runtime.traffic.marks import Marks, prediction
from mlneuron_runtime.traffic.memory import Memory
from mlneuron_runtime.traffic.mirror import Mirror
from mlneuron_runtime.traffic.remote import Remote
from mlneuron_runtime.traffic.subject import LATEST, PIN_HEADER, Asked, Pin
from mlneuron_runtime.traffic.table import PRIMARY, BadTable, Table, parsed

log = structlog.get_logger()

LOOK_SECONDS = 0.5

LARGEST_FILE = 1024 * 1024

State = tuple[int, int, int]
"""Inode, modification time in nanoseconds and size: what tells one content of the file from the next."""


@dataclass(slots=True)
class Traffic:
    """Of one process. `path` None: a variant's pod, which has no table. `use` is told what marks predictions, which is
    None while nobody competes.
    """

    identity: Identity
    path: Path | None
    tallies: Tallies
    use: Callable[[Marks | None], None]
    clock: Callable[[], float] = time.perf_counter
    now: Callable[[], float] = time.time
    draw: random.Random = field(default_factory=random.Random)
    table: Table | None = None
    problem: str | None = None
    remotes: dict[str, Remote] = field(default_factory=dict)
    mirror: Mirror = field(default_factory=Mirror)
    board: Board = field(init=False)
    own: Counters = field(init=False)
    memory: Memory = field(init=False)
    _seen: State | None = None
    _watch: "asyncio.Task[None] | None" = None

    def __post_init__(self) -> None:
        self.board = Board(self.tallies)
        self.own = self.board.of(self.identity.variant)
        self.memory = Memory(self.now)
        if self.named:
            self.use(Marks(self.identity.variant, self.now))

    @property
    def idle(self) -> bool:
        """Whether every request is this process's own, and nobody counts for whom."""
        return self.table is None and not self.named

    @property
    def named(self) -> bool:
        """Whether this is a variant's pod."""
        return self.identity.variant != PRIMARY

    def assigned(self, table: Table, asked: Asked, own: str | None, *, given: bool = False) -> str:
        """Who answers; `own` is this pod's version. A request that a gateway has `given` to this pod is its own.
        Raises UnknownVersion for a pin that means nobody.
        """
        if asked.pin is not None:
            return self.pinned(table, asked.pin, own)
        if given:
            return self.identity.variant
        return table.anyone(self.draw) if asked.subject is None else table.assigned(asked.subject)

    def pinned(self, table: Table, pin: Pin, own: str | None) -> str:
        """The variant that a caller names; a variant's pod knows no other."""
        me = self.identity.variant
        name = me if pin.value in (me, own) else table.pinned(pin.value)
        if name is not None and (name == me or not self.named):
            return name
        versions = [own, *table.variants, *(variant.version for variant in table.variants.values())]
        known = ", ".join([me, LATEST, *(version for version in versions if version)])
        told = f"{pin.field} names nothing that is served here; available: {known}"
        elsewhere = f". A gateway brought the request here; it knows others by their names in {PIN_HEADER}"
        raise UnknownVersion(pin.field, told + elsewhere if self.named else told, pin.value)

    def shadows(self, table: Table) -> list[Remote]:
        """Those that the present request is mirrored to."""
        if not table.shadows:
            return []
        drawn = [variant.name for variant in table.shadows if self.draw.random() * 100 < variant.percent]
        return [self.remotes[name] for name in drawn if name in self.remotes]

    def remember(self, asked: Asked, own_id: str | None) -> None:
        """What was predicted for the present request; `own_id` is the one that its caller gave it."""
        mark = prediction.get()
        if mark is not None:
            if own_id is not None:
                self.memory.note("request_id", own_id, mark)
            if asked.subject is not None:
                self.memory.note("subject", asked.subject.decode(errors="replace"), mark)

    def start(self) -> None:
        """Read the table, and watch it. Called on the event loop."""
        if self.path is not None:
            self.look()
            self._watch = asyncio.get_running_loop().create_task(self._watching())

    async def close(self) -> None:
        """Forget everything; what is in flight is still answered."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        self.mirror.close()
        for remote in self.remotes.values():
            remote.close()
        self.remotes.clear()
        await asyncio.sleep(0)  # in which the connections close

    async def _watching(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Take the file into force if it is another than before."""
        assert self.path is not None  # noqa: S101  # else nobody looks
        try:
            told = os.stat(self.path)
            state = (told.st_ino, told.st_mtime_ns, told.st_size)
            if state == self._seen:
                return
            with self.path.open("rb") as file:
                content = file.read(LARGEST_FILE)
        except FileNotFoundError:
            self._missing()
            return
        except OSError as error:
            self._refused(f"{self.path} cannot be read ({error.strerror})")
            return
        self._seen = state
        try:
            table = parsed(content, self.identity.namespace, self.identity.name)
        except BadTable as error:
            self._refused(str(error))
            return
        self._in_force(table)

    def _missing(self) -> None:
        """No file: nobody competes. It is how a neuron without variants lives."""
        self._seen, self.problem = None, None
        if self.table is not None:
            log.info("no traffic table any more: everything is answered here")
            self._adopt(None)

    def _refused(self, problem: str) -> None:
        if problem != self.problem:
            log.error("traffic table refused; the last good one stays in force", problem=problem)
            self.problem = problem

    def _in_force(self, table: Table) -> None:
        self.problem = None
        self._adopt(table)
        shares = {name: f"{variant.mode} {variant.percent:g}" for name, variant in table.variants.items()}
        log.info("traffic table in force", revision=table.revision, variants=shares)

    def _adopt(self, table: Table | None) -> None:
        """Between two requests: nothing here waits. A variant whose address stays keeps connections and circuit."""
        variants = {} if table is None else table.variants
        self.board.expect(None if table is None else table.revision, variants)
        before, self.remotes = self.remotes, {}
        for name, variant in variants.items():
            old = before.get(name)
            if old is not None and (old.variant.url, old.variant.grpc) == (variant.url, variant.grpc):
                old.variant, old.counters = variant, self.board.of(name)
                self.remotes[name] = before.pop(name)
            else:
                self.remotes[name] = Remote(variant, self.board.of(name), self.clock)
        self.table = table
        for remote in before.values():
            remote.close()
        if not self.named:
            self.use(None if table is None or not variants else Marks(PRIMARY, self.now))
