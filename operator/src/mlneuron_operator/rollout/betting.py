"""Is one share above another by more than a margin? A test that may be looked at as often as one likes.

The e-process for two Bernoulli streams of Turner, Ly and Grünwald, "Generic E-variables for exact sequential k-sample
tests that allow for optional stopping" (2024), in its form for a margin by Turner and Grünwald, "Exact anytime-valid
confidence intervals for contingency tables and beyond" (2023).

At each look both streams bring a block of trials. Before it is seen, a guess (p, v) of both rates is made from what
came earlier; where v > p + margin, the null's nearest pair (p°, v°) on the line v° = p° + margin is sought, nearest in
the Kullback-Leibler divergence weighted by the sizes of the blocks. The block's likelihood ratio of the two pairs has
an expectation of at most 1 whatever pair of the null is true: its logarithm is at most the divergence's directional
derivative from the nearest pair to the true one, negated, and the null is convex. So their product over the looks is a
supermartingale from 1, and exceeds 1/a at any time with a probability of at most a (Ville). Rates may change from look
to look, in both streams at once or not, as may the sizes of the blocks, and a trial may hit by a fraction (a geometric
mean is below the arithmetic one). What is assumed: within a look, trials are independent of each other, and how many
there are does not depend on their outcomes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

PULL: Final = 50.0
"""So many imagined trials hold the guess of the variant's rate at the margin, until real ones outweigh them."""

EDGE: Final = 0.001
"""How near to 0 and 1 a rate may be imagined to be; one that never occurred may yet."""

BISECTIONS: Final = 50


@dataclass(frozen=True, slots=True)
class Tally:
    """Trials, and how many of them hit."""

    trials: float = 0.0
    hits: float = 0.0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.trials + other.trials, self.hits + other.hits)

    @property
    def halved(self) -> "Tally":
        """Half of it."""
        return Tally(self.trials / 2, self.hits / 2)

    @property
    def rate(self) -> float:
        """Hits a trial; 0 without trials."""
        return self.hits / self.trials if self.trials else 0.0


@dataclass(frozen=True, slots=True)
class Pair:
    """Both streams'."""

    primary: Tally = field(default_factory=Tally)
    variant: Tally = field(default_factory=Tally)

    def __add__(self, other: "Pair") -> "Pair":
        return Pair(self.primary + other.primary, self.variant + other.variant)


def guess(known: Pair, margin: float) -> tuple[float, float]:
    """The rates (primary's, variant's) to bet on after what is known."""
    p = (known.primary.hits + 0.5) / (known.primary.trials + 1.0)
    limit = min(1 - EDGE, max(EDGE, p + margin))
    return p, (known.variant.hits + PULL * limit) / (known.variant.trials + PULL)


def nearest(p: float, v: float, margin: float, block: Pair) -> float:
    """The primary's rate p° of the null's nearest pair (p°, p° + margin); v > p + margin, and both blocks hold trials.

    The divergence is convex along the line, so its derivative has one root, between p and v - margin.
    """
    low, high = max(p, -margin), min(v - margin, 1.0)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        there = middle + margin
        pull = block.primary.trials * (middle - p) / (middle * (1 - middle))
        push = block.variant.trials * (v - there) / (there * (1 - there))
        low, high = (low, middle) if pull > push else (middle, high)
    return (low + high) / 2


def gain(known: Pair, block: Pair, margin: float) -> float:
    """Logarithm of what a bet of 1 becomes with the block, after what was known before it; 0: no bet."""
    margin = max(margin, EDGE - 1)
    p, v = guess(known, margin)
    if v <= p + margin or not (block.variant.trials and block.primary.trials):
        return 0.0
    null = nearest(p, v, margin, block)
    return _ratio(block.primary, p, null) + _ratio(block.variant, v, null + margin)


def _ratio(block: Tally, rate: float, null: float) -> float:
    missed = block.trials - block.hits
    hit = block.hits * math.log(rate / null) if block.hits else 0.0
    return hit + (missed * math.log((1 - rate) / (1 - null)) if missed else 0.0)


@dataclass(frozen=True, slots=True)
class Bet:
    """One way of guessing, and what has become of it."""

    memory: float = math.inf
    """Of the variant's trials: what is older counts half, and again half; how soon a late change is seen."""
    log: float = 0.0
    known: Pair = field(default_factory=Pair)

    def after(self, block: Pair, margin: float) -> "Bet":
        """The bet after a block."""
        known = self.known + block
        if known.variant.trials > 2 * self.memory:
            known = Pair(known.primary.halved, known.variant.halved)
        return Bet(self.memory, self.log + gain(self.known, block, margin), known)


MEMORIES: Final = (math.inf, 2000.0)
"""Two bets side by side: one that forgets nothing, for small differences, and one that sees what changed of late."""


@dataclass(frozen=True, slots=True)
class Wager:
    """A stake of 1 spread evenly over bets of different memories: their mean is an e-process as each of them is."""

    bets: tuple[Bet, ...] = tuple(Bet(memory) for memory in MEMORIES)

    def after(self, block: Pair, margin: float) -> "Wager":
        """The wager after a block."""
        return Wager(tuple(bet.after(block, margin) for bet in self.bets))

    @property
    def log(self) -> float:
        """Logarithm of what the stake has become."""
        most = max(bet.log for bet in self.bets)
        return most + math.log(sum(math.exp(bet.log - most) for bet in self.bets) / len(self.bets))

    @property
    def best(self) -> Bet:
        """The bet that gained most."""
        return max(self.bets, key=lambda bet: bet.log)

    def document(self) -> list[list[float]]:
        """For status, in the order of MEMORIES."""
        return [
            [b.log, b.known.primary.trials, b.known.primary.hits, b.known.variant.trials, b.known.variant.hits]
            for b in self.bets
        ]

    @classmethod
    def parse(cls, document: Sequence[Sequence[float]]) -> Self:
        """The wager of a document. Raises ValueError or TypeError for no such document."""
        bets = []
        for memory, numbers in zip(MEMORIES, document, strict=True):
            log, p_trials, p_hits, v_trials, v_hits = (float(number) for number in numbers)
            bets.append(Bet(memory, log, Pair(Tally(p_trials, p_hits), Tally(v_trials, v_hits))))
        return cls(tuple(bets))
