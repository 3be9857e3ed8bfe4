"""The test of two shares: what it promises, and that it sees."""

import json
import math
import random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mlneuron_operator.rollout.betting import Pair, Tally, Wager, gain, guess

from bench.rollout.simulate import Wagers

RATES = st.floats(0, 1)
MARGINS = st.sampled_from([-0.2, -0.03, 0.0, 0.01, 0.1])
SIZES = st.integers(0, 8)


def expected(known: Pair, sizes: tuple[int, int], rates: tuple[float, float], margin: float) -> float:
    """Of what a bet of 1 becomes, over all outcomes of a block."""
    chances = [
        [math.comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(n + 1)]
        for n, rate in zip(sizes, rates, strict=True)
    ]
    return sum(
        p * v * math.exp(gain(known, Pair(Tally(sizes[0], hits), Tally(sizes[1], variant_hits)), margin))
        for hits, p in enumerate(chances[0])
        for variant_hits, v in enumerate(chances[1])
    )


@settings(deadline=None)
@given(RATES, RATES, RATES, RATES, MARGINS, SIZES, SIZES)
def test_no_bet_is_expected_to_gain_where_the_variant_is_within_the_margin(
    p: float, v: float, seen_p: float, seen_v: float, margin: float, n: int, m: int
) -> None:
    assume(v <= p + margin)
    known = Pair(Tally(50, 50 * seen_p), Tally(20, 20 * seen_v))
    assert expected(known, (n, m), (p, v), margin) <= 1 + 1e-9


@settings(deadline=None)
@given(st.floats(0.01, 0.5), MARGINS, st.floats(0.05, 0.4))
def test_a_bet_on_the_truth_is_expected_to_gain(p: float, margin: float, more: float) -> None:
    v = p + margin + more
    assume(0.02 < v < 0.98)
    known = Pair(Tally(1e9, 1e9 * p), Tally(1e9, 1e9 * v))
    assert expected(known, (8, 8), (p, v), margin) > 1


@settings(deadline=None)
@given(MARGINS, st.floats(0, 1000), st.floats(0, 1), st.floats(0, 1000), st.floats(0, 1))
def test_every_block_has_a_finite_outcome(margin: float, n: float, p: float, m: float, v: float) -> None:
    known = Pair(Tally(n, n * p), Tally(m, m * v))
    for hits, variant_hits in ((0, 0), (0, 5), (5, 0), (5, 5)):
        assert math.isfinite(gain(known, Pair(Tally(5, hits), Tally(5, variant_hits)), margin))


@pytest.mark.parametrize("margin", [-1.0, 1.0])
def test_the_widest_margins_have_finite_outcomes(margin: float) -> None:
    known = Pair(Tally(100, 1), Tally(100, 99))
    assert math.isfinite(gain(known, Pair(Tally(5, 0), Tally(5, 5)), margin))


def test_nothing_is_bet_while_one_of_the_two_has_no_requests() -> None:
    known = Pair(Tally(100, 1), Tally(100, 50))
    assert gain(known, Pair(Tally(0, 0), Tally(9, 9)), 0.0) == 0
    assert gain(known, Pair(Tally(9, 9), Tally(0, 0)), 0.0) == 0


def test_nothing_is_bet_before_anything_is_known() -> None:
    p, v = guess(Pair(), 0.01)
    assert v <= p + 0.01


def test_a_change_after_a_long_good_time_is_seen_within_hundreds_of_requests() -> None:
    wager = Wager()
    for _ in range(1000):
        wager = wager.after(Pair(Tally(900, 9), Tally(100, 1)), 0.01)
    assert wager.log < math.log(100)
    for _ in range(6):
        wager = wager.after(Pair(Tally(900, 9), Tally(100, 30)), 0.01)
    assert wager.log > math.log(200)


def test_a_wager_survives_its_document() -> None:
    wager = Wager().after(Pair(Tally(900, 9), Tally(100, 7)), 0.01).after(Pair(Tally(900, 9), Tally(100, 7)), 0.01)
    assert wager.log != 0
    assert Wager.parse(json.loads(json.dumps(wager.document()))) == wager


@pytest.mark.parametrize("margin", [-0.02, 0.0, 0.01])
def test_the_simulation_bets_as_the_operator_does(margin: float) -> None:
    draw = random.Random(5)  # noqa: S311 - no secret
    alone, together = Wager(), Wagers(1)
    for _ in range(200):
        n, m = draw.randint(0, 300), draw.randint(0, 60)
        hits, variant_hits = draw.randint(0, n // 10), draw.randint(0, m // 6)
        alone = alone.after(Pair(Tally(n, hits), Tally(m, variant_hits)), margin)
        one = [np.array([float(number)]) for number in (n, hits, m, variant_hits)]
        together.take((one[0], one[1]), (one[2], one[3]), margin)
    assert alone.log != 0
    assert together.logs[0] == pytest.approx(alone.log)
