"""Thousands of rollouts at once: the operator's guards on arrays, look by look.

The formulas are those of ``mlneuron_operator.rollout``, for numpy; tests hold the two against each other.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from mlneuron_operator.rollout.betting import BISECTIONS, EDGE, MEMORIES, PULL
from mlneuron_operator.rollout.evidence import BOUNDS
from mlneuron_operator.rollout.guards import FEWEST, P95, YARDSTICK_MEMORY, Guard, Question
from mlneuron_operator.rollout.latency import beyond
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Model:
    """What a simulated model is like. Latencies are lognormal."""

    error_rate: float = 0.03
    median: float = 0.01
    """Seconds."""
    spread: float = 0.5
    """Standard deviation of the logarithm of the time."""
    accuracy: float = 0.9

    @property
    def buckets(self) -> Array:
        """The probability of each bucket of latency."""
        places = [(math.log(bound) - math.log(self.median)) / self.spread for bound in BOUNDS]
        below = np.array([0.0, *(0.5 * math.erfc(-place / math.sqrt(2)) for place in places), 1.0])
        return np.diff(below)


@dataclass(frozen=True, slots=True)
class Load:
    """Requests of a look, of which the variant is given a share, and how many of them are told their outcome."""

    requests: int = 1000
    share: float = 0.1
    feedback: float = 0.1


@dataclass(frozen=True, slots=True)
class Block:
    """One model's counts of a look; each an array over the rollouts."""

    requests: Array
    errors: Array
    feedback: Array
    wrong: Array
    latency: Array
    """Rollouts x buckets."""


def block(model: Model, mean: float, feedback: float, rollouts: int, rng: np.random.Generator) -> Block:
    """What comes at a look, where `mean` requests are expected."""
    requests = rng.poisson(mean, rollouts)
    told = rng.binomial(requests, feedback)
    return Block(
        requests.astype(float),
        rng.binomial(requests, model.error_rate).astype(float),
        told.astype(float),
        rng.binomial(told, 1 - model.accuracy).astype(float),
        rng.multinomial(requests, model.buckets).astype(float),
    )


Counted = tuple[Array, Array]
"""Trials and hits."""


class Wagers:
    """One question's wager, of all rollouts."""

    def __init__(self, rollouts: int) -> None:
        shape = (rollouts, len(MEMORIES))
        self._logs = np.zeros(shape)
        self._known = np.zeros((4, *shape))

    def take(self, primary: Counted, variant: Counted, margin: float) -> None:
        """A look's blocks."""
        shape = self._logs.shape
        new = np.stack([np.broadcast_to(numbers[:, None], shape) for numbers in (*primary, *variant)])
        margin = max(margin, EDGE - 1)
        trials, hits, variant_trials, variant_hits = self._known
        p = (hits + 0.5) / (trials + 1)
        v = (variant_hits + PULL * np.clip(p + margin, EDGE, 1 - EDGE)) / (variant_trials + PULL)
        bets = (v > p + margin) & (new[0] > 0) & (new[2] > 0)
        if bets.any():
            self._logs[bets] += _gain(p[bets], v[bets], new[:, bets], margin)
        self._known += new
        full = self._known[2] > 2 * np.array(MEMORIES)
        self._known[:, full] /= 2

    @property
    def logs(self) -> Array:
        """Logarithm of what each stake has become."""
        most = self._logs.max(axis=1)
        means: Array = most + np.log(np.exp(self._logs - most[:, None]).mean(axis=1))
        return means


def _gain(p: Array, v: Array, new: Array, margin: float) -> Array:
    trials, hits, variant_trials, variant_hits = new
    low, high = np.maximum(p, -margin), np.minimum(v - margin, 1.0)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        there = middle + margin
        pull = trials * (middle - p) / (middle * (1 - middle))
        over = pull > variant_trials * (v - there) / (there * (1 - there))
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    null = (low + high) / 2
    other = null + margin
    gained: Array = hits * np.log(p / null) + (trials - hits) * np.log((1 - p) / (1 - null))
    gained += variant_hits * np.log(v / other)
    gained += (variant_trials - variant_hits) * np.log((1 - v) / (1 - other))
    return gained


class Watches:
    """All guards of all rollouts."""

    def __init__(self, rollouts: int, guard: Guard) -> None:
        self._guard = guard
        self.wagers = {question: Wagers(rollouts) for question in guard.margins()}
        self._yardstick = np.zeros((rollouts, len(BOUNDS) + 1))
        self._above = {factor: _above(factor) for factor in (1.0, 1 + guard.max_p95_increase)}

    def take(self, primary: Block, variant: Block) -> None:
        """A look's blocks."""
        for question, margin in self._guard.margins().items():
            ours, theirs = self._counted(question, primary, 1.0), self._counted(question, variant, None)
            self.wagers[question].take(ours, theirs, margin)
        self._yardstick += primary.latency
        self._yardstick[self._yardstick.sum(axis=1) > 2 * YARDSTICK_MEMORY] /= 2

    def harmed(self) -> NDArray[np.bool_]:
        """Of each rollout, whether harm is shown."""
        sure: NDArray[np.bool_] = np.any([one.logs >= self._guard.enough for one in self.wagers.values()], axis=0)
        return sure

    def _counted(self, question: Question, one: Block, factor: float | None) -> Counted:
        if question is Question.ERRORS:
            return one.requests, one.errors
        if question is Question.ACCURACY:
            return one.feedback, one.wrong
        above = self._above[1 + self._guard.max_p95_increase if factor is None else factor]
        known = self._yardstick.sum(axis=1)
        reached = np.cumsum(self._yardstick, axis=1) >= P95 * known[:, None]
        place = np.minimum(reached.argmax(axis=1), len(BOUNDS) - 1)
        usable = known >= FEWEST
        slow = np.einsum("ij,ij->i", one.latency, above[place])
        return np.where(usable, one.latency.sum(axis=1), 0.0), np.where(usable, slow, 0.0)


def _above(factor: float) -> Array:
    """Bounds x buckets: which part of a bucket's requests takes longer than a bound times the factor."""
    unit = np.eye(len(BOUNDS) + 1)
    return np.array([[beyond(bucket.tolist(), bound * factor) for bucket in unit] for bound in BOUNDS])


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two models under a load."""

    primary: Model
    variant: Model
    load: Load

    def looks(self, rollouts: int, looks: int, rng: np.random.Generator) -> Iterator[tuple[Block, Block]]:
        """What comes at each look, of both."""
        load = self.load
        for _ in range(looks):
            yield (
                block(self.primary, load.requests * (1 - load.share), load.feedback, rollouts, rng),
                block(self.variant, load.requests * load.share, load.feedback, rollouts, rng),
            )


@dataclass(frozen=True, slots=True)
class Course:
    """Of each rollout, the variant's requests until harm was shown; infinite where none was."""

    ours: Array
    peeked: Array
    """The same by a z-test of the error rates that is looked at as often (Question.ERRORS alone)."""


def run(pairing: Pairing, guard: Guard, rollouts: int, looks: int, seed: int, *, until_all: bool = False) -> Course:
    """Rollouts of that many looks each, or until harm is shown in all."""
    rng = np.random.default_rng(seed)
    watches, sums = Watches(rollouts, guard), np.zeros((4, rollouts))
    ours, peeked = np.full(rollouts, np.inf), np.full(rollouts, np.inf)
    for primary, variant in pairing.looks(rollouts, looks, rng):
        watches.take(primary, variant)
        sums += (primary.requests, primary.errors, variant.requests, variant.errors)
        ours = np.where(watches.harmed() & np.isinf(ours), sums[2], ours)
        peeked = np.where(z_test(sums, guard) & np.isinf(peeked), sums[2], peeked)
        if until_all and np.isfinite(ours).all():
            break
    return Course(ours, peeked)


Z_99 = 2.3263478740408408
"""Standard normal quantile of 99 %."""


def z_test(sums: Array, guard: Guard) -> NDArray[np.bool_]:
    """The textbook's test of two proportions with a margin, at 99 %, once minRequests are there."""
    trials, hits, variant_trials, variant_hits = sums
    p, v = hits / trials, variant_hits / np.maximum(variant_trials, 1)
    error = np.sqrt(p * (1 - p) / trials + v * (1 - v) / np.maximum(variant_trials, 1))
    sure: NDArray[np.bool_] = (v - p - guard.max_error_rate_increase > Z_99 * error) & (
        variant_trials >= guard.min_requests
    )
    return sure
