"""What the guards promise, over thousands of simulated rollouts that are looked at every few seconds.

A promise about a probability is held against a count of luck: the tests fail where so many false alarms would be next
to impossible if the promise were true, and the one about identical models where they do not prove it.
"""

import math

import numpy as np
from mlneuron_operator.rollout.guards import Guard

from bench.rollout.simulate import Load, Model, Pairing, Watches, block, run

ROLLOUTS = 2000
STRICT = Guard(max_error_rate_increase=0, max_p95_increase=0, min_accuracy_gain=0)
"""Nothing may be any worse: identical models are the hardest case of the null."""


def tail(count: int, trials: int, chance: float) -> float:
    """Probability of so many or more."""
    return 1 - sum(math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k) for k in range(count))


def proven_below(count: int, trials: int, limit: float) -> bool:
    """Whether the exact 99 % upper bound (Clopper, Pearson) of the chance is below the limit."""
    return 1 - tail(count + 1, trials, limit) < 0.01


def test_identical_models_are_rolled_back_more_seldom_than_promised() -> None:
    course = run(Pairing(Model(), Model(), Load()), Guard(min_accuracy_gain=-0.01), ROLLOUTS, 240, seed=1)
    assert proven_below(int(np.isfinite(course.ours).sum()), ROLLOUTS, 0.01)


def test_identical_models_are_rolled_back_no_more_often_than_promised_where_nothing_may_be_worse() -> None:
    course = run(Pairing(Model(), Model(), Load(feedback=0.5)), STRICT, ROLLOUTS, 240, seed=2)
    assert tail(int(np.isfinite(course.ours).sum()), ROLLOUTS, 0.01) > 0.001
    assert np.isfinite(course.peeked).mean() > 0.03, "the textbook's test, looked at as often, breaks its promise"


def test_a_lower_confidence_keeps_its_promise_too() -> None:
    guard = Guard(max_error_rate_increase=0, max_p95_increase=0, min_accuracy_gain=0, confidence=0.9)
    course = run(Pairing(Model(), Model(), Load()), guard, ROLLOUTS, 120, seed=3)
    assert proven_below(int(np.isfinite(course.ours).sum()), ROLLOUTS, 0.1)


def test_a_variant_at_its_limits_is_rolled_back_no_more_often_than_promised() -> None:
    worst = Model(error_rate=0.04, median=0.012, accuracy=0.89)
    course = run(Pairing(Model(), worst, Load()), Guard(min_accuracy_gain=-0.01), ROLLOUTS, 240, seed=4)
    assert tail(int(np.isfinite(course.ours).sum()), ROLLOUTS, 0.01) > 0.001


def test_weather_that_hits_both_models_and_growing_shares_raise_no_false_alarm() -> None:
    rng, watches = np.random.default_rng(5), Watches(ROLLOUTS, STRICT)
    harmed = np.zeros(ROLLOUTS, dtype=bool)
    for at, share in enumerate(np.repeat([0.01, 0.1, 0.5], 60)):
        wave = 1 + math.sin(at / 8)
        both = Model(error_rate=0.01 + 0.1 * wave, median=0.01 * (1 + wave), accuracy=0.9 - 0.1 * wave)
        primary, variant = (block(both, 1000 * part, 0.2, ROLLOUTS, rng) for part in (1 - share, share))
        watches.take(primary, variant)
        harmed |= watches.harmed()
    assert tail(int(harmed.sum()), ROLLOUTS, 0.01) > 0.001


def test_two_points_more_errors_are_seen() -> None:
    course = run(Pairing(Model(), Model(error_rate=0.05), Load()), Guard(), 200, 300, seed=6)
    assert np.isfinite(course.ours).all()


def test_a_p95_that_is_longer_by_three_tenths_is_seen() -> None:
    course = run(Pairing(Model(), Model(median=0.013), Load()), Guard(), 200, 200, seed=7)
    assert np.isfinite(course.ours).all()


def test_three_points_less_accuracy_are_seen() -> None:
    pairing = Pairing(Model(), Model(accuracy=0.87), Load(feedback=1.0))
    assert np.isfinite(run(pairing, Guard(min_accuracy_gain=0), 200, 200, seed=8).ours).all()
