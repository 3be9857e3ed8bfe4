"""What the guards see in counts, and how they say it."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from mlneuron_operator.rollout.evidence import BOUNDS, Counts, Evidence
from mlneuron_operator.rollout.guards import Guard, Question, Watch
from mlneuron_operator.rollout.latency import beyond, quantile
from mlneuron_operator.rollout.wording import finding

from bench.rollout.simulate import Block, Load, Model, Pairing, Watches

from .worlds import GOOD, Behaviour

ALL = Guard(min_accuracy_gain=0.0)


def watched(primary: Behaviour, variant: Behaviour, guard: Guard, looks: int = 60) -> tuple[Watch, Evidence]:
    watch, total = Watch(), Evidence()
    for _ in range(looks):
        block = Evidence(primary.counts(900), variant.counts(100))
        watch, total = watch.after(block, guard), total + block
        if watch.harm(guard):
            break
    return watch, total


def said(primary: Behaviour, variant: Behaviour, guard: Guard) -> str:
    watch, total = watched(primary, variant, guard)
    harm = watch.harm(guard)
    assert harm is not None
    return finding(harm, watch.wagers[harm].best, total, guard)


def test_the_same_behaviour_is_no_harm() -> None:
    same = Behaviour(0.03, 0.02, 0.9)
    assert watched(same, same, ALL)[0].harm(ALL) is None


def test_errors_within_the_margin_are_no_harm() -> None:
    assert watched(Behaviour(0.02), Behaviour(0.03), ALL, 300)[0].harm(ALL) is None


def test_more_errors_are_told_with_both_counts() -> None:
    message = said(Behaviour(0.02), Behaviour(0.09), ALL)
    assert message == (
        "error rate 9 % (27/300) against 2 % (54/2700) of the primary: more than 1 point worse, with 99 % confidence"
    )


def test_a_longer_p95_is_told_in_milliseconds() -> None:
    message = said(Behaviour(seconds=0.01), Behaviour(seconds=0.02), ALL)
    assert message.startswith("p95 40.5 ms against 20.3 ms of the primary (10 % (")
    assert message.endswith("above its p95): more than 20 % longer, with 99 % confidence")


def test_latency_that_is_longer_by_less_than_the_limit_is_no_harm() -> None:
    assert watched(GOOD, Behaviour(seconds=0.0109), ALL, 300)[0].harm(ALL) is None


def test_a_faster_variant_is_no_harm() -> None:
    assert watched(GOOD, Behaviour(seconds=0.001), ALL, 300)[0].harm(ALL) is None


def test_lower_accuracy_is_told_with_both_counts() -> None:
    message = said(Behaviour(accuracy=0.9), Behaviour(accuracy=0.8), ALL)
    assert message.startswith("accuracy 80 % (")
    assert message.endswith(" of the primary: worse, with 99 % confidence")


def test_a_gain_that_is_asked_for_and_not_there_is_harm() -> None:
    guard = Guard(min_accuracy_gain=0.05)
    assert said(Behaviour(accuracy=0.8), Behaviour(accuracy=0.8), guard).endswith(
        ": less than 5 points better, with 99 % confidence"
    )


def test_a_loss_of_accuracy_that_is_allowed_is_no_harm() -> None:
    guard = Guard(min_accuracy_gain=-0.05)
    assert watched(Behaviour(accuracy=0.9), Behaviour(accuracy=0.86), guard, 300)[0].harm(guard) is None


def test_accuracy_guards_nothing_where_it_is_not_asked_for() -> None:
    assert watched(Behaviour(accuracy=0.9), Behaviour(accuracy=0.1), Guard())[0].harm(Guard()) is None


def test_harm_that_came_of_late_is_told_by_the_latest_requests() -> None:
    watch, total = Watch(), Evidence()
    blocks = [Evidence(GOOD.counts(900), GOOD.counts(100))] * 500
    blocks += [Evidence(GOOD.counts(900), Behaviour(0.5).counts(100))] * 10
    for block in blocks:
        watch, total = watch.after(block, ALL), total + block
        if watch.harm(ALL):
            break
    text = finding(Question.ERRORS, watch.wagers[Question.ERRORS].best, total, ALL)
    assert "more than 1 point worse in the latest requests, with 99 % confidence" in text


@pytest.mark.parametrize("before", [0, 3, 30, 300])
def test_a_burst_of_failures_within_one_look_is_no_harm(before: int) -> None:
    watch, good = Watch(), Evidence(GOOD.counts(900), GOOD.counts(100))
    burst = Evidence(GOOD.counts(900), Behaviour(1.0).counts(100))
    for block in [*[good] * before, burst, *[good] * 100]:
        watch = watch.after(block, ALL)
        assert watch.harm(ALL) is None


def test_a_changed_limit_is_another_question_and_the_others_go_on() -> None:
    watch, _ = watched(Behaviour(0.02), Behaviour(0.04), ALL, 20)
    changed = watch.after(Evidence(), replace(ALL, max_error_rate_increase=0.05))
    assert changed.wagers[Question.ERRORS].log == 0
    assert changed.wagers[Question.ACCURACY] == watch.wagers[Question.ACCURACY]


def test_each_question_may_use_its_part_of_the_doubt() -> None:
    assert Guard().enough == pytest.approx(math.log(2 / 0.01))
    assert ALL.enough == pytest.approx(math.log(3 / 0.01))


def test_a_watch_survives_its_document() -> None:
    watch, _ = watched(Behaviour(0.02), Behaviour(0.03, 0.011, 0.9), ALL, 5)
    assert Watch.parse(json.loads(json.dumps(watch.document()))) == watch


def test_counters_read_one_after_the_other_are_no_more_errors_than_requests() -> None:
    watch = Watch().after(Evidence(Counts(5, errors=9), Counts(5, errors=9)), ALL)
    assert watch.wagers[Question.ERRORS].best.known.variant.hits == 5


def test_a_quantile_is_the_bound_that_the_share_stays_within() -> None:
    counts = [0.0] * (len(BOUNDS) + 1)
    counts[10], counts[20] = 95, 5
    assert quantile(counts, 0.95) == BOUNDS[10]
    assert quantile(counts, 0.96) == BOUNDS[20]
    assert quantile([0.0] * len(counts), 0.95) is None
    counts[-1] = 100
    assert quantile(counts, 0.95) is None


def test_of_a_bucket_that_a_threshold_cuts_the_part_above_it_counts() -> None:
    counts = [0.0] * (len(BOUNDS) + 1)
    counts[10], counts[11] = 8, 100
    quarter = BOUNDS[9] + (BOUNDS[10] - BOUNDS[9]) / 4
    assert beyond(counts, quarter) == pytest.approx(106)
    assert beyond(counts, BOUNDS[10]) == 100
    assert beyond(counts, 100.0) == 0


def test_the_simulation_watches_as_the_operator_does() -> None:
    guard = Guard(max_error_rate_increase=0.0, max_p95_increase=0.1, min_accuracy_gain=0.01)
    pairing = Pairing(Model(), Model(0.035, 0.0112, accuracy=0.89), Load(feedback=0.5))
    watch, watches = Watch(), Watches(2, guard)
    for primary, variant in pairing.looks(2, 80, np.random.default_rng(3)):
        watches.take(primary, variant)
        watch = watch.after(Evidence(first(primary), first(variant)), guard)
    for question, wager in watch.wagers.items():
        assert wager.log != 0
        assert watches.wagers[question].logs[0] == pytest.approx(wager.log)


def first(block: Block) -> Counts:
    requests, errors, told, wrong = (
        int(numbers[0]) for numbers in (block.requests, block.errors, block.feedback, block.wrong)
    )
    return Counts(requests, 0, errors, told, told - wrong, tuple(int(count) for count in block.latency[0]))
