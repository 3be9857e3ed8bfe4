"""Counts of pods that come, restart and go."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlneuron_operator.rollout.evidence import BOUNDS, Counts, Evidence
from mlneuron_operator.rollout.ledger import Ledger, Reading

BEGAN = 1000.0


def counts(requests: int, errors: int = 0) -> Counts:
    return Counts(requests, errors=errors, latency=(requests, *(0,) * len(BOUNDS)))


def both(primary: int, variant: int) -> Evidence:
    return Evidence(counts(primary), counts(variant))


def reading(pod: str, evidence: Evidence, started: float = BEGAN - 1) -> Reading:
    return Reading(pod, started, evidence)


ENTRY = {
    "requests": 10, "errors": 2, "feedback": 4, "correct": 3, "latency": [0] * (len(BOUNDS) + 1),
    "fallback": {"circuit_open": 3, "no_grpc": 1, "timeout": 2},
}  # fmt: skip


def test_requests_for_which_the_variant_was_not_asked_say_nothing_about_it() -> None:
    told = Counts.told(ENTRY)
    assert (told.asked, told.errors, told.feedback, told.correct) == (6, 2, 4, 3)


def test_a_runtime_with_other_buckets_is_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match="latency has 3 counts where 146 are known"):
        Counts.told({**ENTRY, "latency": [0, 0, 0]})


def test_counters_that_began_anew_count_from_zero() -> None:
    assert counts(7).since(counts(100)) == counts(7)
    assert counts(130).since(counts(100)) == counts(30)


def test_what_pods_counted_before_the_rollout_is_not_its() -> None:
    ledger, new = Ledger(BEGAN).read([reading("a", both(500, 50))])
    assert new == Evidence()
    ledger, new = ledger.read([reading("a", both(510, 52))])
    assert new == ledger.total == both(10, 2)


def test_a_pod_that_started_since_counts_from_its_start() -> None:
    _, new = Ledger(BEGAN).read([reading("b", both(30, 3), started=BEGAN + 60)])
    assert new == both(30, 3)


def test_a_restart_is_noticed_though_the_new_count_is_the_higher_one() -> None:
    ledger, _ = Ledger(BEGAN).read([reading("a", both(5, 1))])
    _, new = ledger.read([reading("a", both(50, 9), started=BEGAN + 60)])
    assert new == both(50, 9)


def test_a_pod_that_is_gone_leaves_what_it_counted() -> None:
    ledger, _ = Ledger(BEGAN).read([reading("a", both(0, 0)), reading("b", both(0, 0))])
    ledger, _ = ledger.read([reading("a", both(10, 1)), reading("b", both(20, 2))])
    ledger, new = ledger.read([reading("a", both(11, 1))], present=frozenset({"a"}))
    assert new == both(1, 0)
    assert ledger.total == both(31, 3)
    assert set(ledger.last) == {"a"}


def test_a_pod_that_was_not_read_once_goes_on_from_its_last_reading() -> None:
    ledger, _ = Ledger(BEGAN).read([reading("a", both(10, 1))])
    ledger, _ = ledger.read([], present=frozenset({"a"}))
    _, new = ledger.read([reading("a", both(40, 5))])
    assert new == both(30, 4)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.booleans()), max_size=30))
def test_every_request_is_counted_once_through_restarts_of_pods_and_operator(
    events: list[tuple[str, int, bool]],
) -> None:
    ledger, pods, asked = Ledger(BEGAN), dict[str, tuple[float, int]](), 0
    for moment, (pod, requests, restarts) in enumerate(events):
        started, before = pods.get(pod, (BEGAN, 0))
        if restarts:
            started, before = BEGAN + moment + 1, 0
        pods[pod] = started, before + requests
        asked += requests
        ledger, _ = ledger.read([reading(pod, both(before + requests, 0), started)])
        ledger = Ledger.parse(json.loads(json.dumps(ledger.document())))
    assert ledger.total.primary.requests == asked
