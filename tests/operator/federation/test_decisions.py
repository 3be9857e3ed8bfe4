"""The pure decisions: slots, backoff, circuit, claims, what is worth publishing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlneuron_operator.federation.circuit import Circuit
from mlneuron_operator.federation.claims import settle
from mlneuron_operator.federation.schedule import Backoff, next_slot, phase
from mlneuron_operator.federation.state import FederationReason, FederationState, worth_publishing

from .world import facts


def half() -> float:
    return 0.5


@given(st.text(min_size=1, max_size=100), st.floats(5, 3600), st.floats(1.7e9, 1.9e9))
def test_the_next_slot_is_between_half_and_one_and_a_half_intervals_away(
    neuron_id: str, interval: float, wall: float
) -> None:
    wait = next_slot(neuron_id, interval, wall, spoke=True)
    assert interval / 2 - 1e-3 <= wait <= interval * 1.5 + 1e-3
    assert 0 <= next_slot(neuron_id, interval, wall, spoke=False) <= interval


def test_phases_are_the_same_everywhere_and_spread_out() -> None:
    phases = sorted(phase(f"ns.neuron-{i}") for i in range(3000))
    assert phase("ml.churn") == phase("ml.churn")
    tenths = [sum(1 for p in phases if tenth <= p * 10 < tenth + 1) for tenth in range(10)]
    assert min(tenths) > 250
    assert max(tenths) < 350


def test_backoff_doubles_to_its_cap_and_wavers_by_a_fifth() -> None:
    backoff = Backoff(first=5, cap=300)
    assert [backoff.delay(n, half) for n in (1, 2, 3, 7, 500)] == [5, 10, 20, 300, 300]
    assert backoff.delay(1, lambda: 0.0) == pytest.approx(4)
    assert backoff.delay(1, lambda: 1.0) == pytest.approx(6)


def test_a_circuit_opens_after_three_failures_in_a_row_and_lets_one_probe_through() -> None:
    circuit = Circuit(half, Backoff(first=2, cap=60))
    for _ in range(2):
        circuit.failed(0, "first cause")
    circuit.answered()
    for _ in range(3):
        assert circuit.admit(0)
        circuit.failed(0, "refuses connections")
    assert circuit.open
    assert circuit.cause == "refuses connections"
    assert [circuit.admit(at) for at in (1.9, 2.0, 2.0)] == [False, True, False]


def test_a_failed_probe_makes_the_next_wait_longer_and_stragglers_do_not() -> None:
    circuit = Circuit(half, Backoff(first=2, cap=60))
    for _ in range(10):
        circuit.failed(0, "down")
    assert circuit.admit(2)
    circuit.failed(2, "down")
    assert [circuit.admit(at) for at in (5.9, 6.0)] == [False, True]


def test_an_answer_closes_the_circuit_and_an_abandoned_probe_frees_its_place() -> None:
    circuit = Circuit(half, Backoff(first=2, cap=60))
    for _ in range(3):
        circuit.failed(0, "down")
    assert circuit.admit(2)
    circuit.abandoned()
    assert circuit.admit(2)
    assert circuit.answered()
    assert not circuit.open
    assert not circuit.answered()


def test_an_id_goes_to_its_holder_else_to_the_first_made() -> None:
    old = facts("b", neuron_id="x", created="2026-01-01T00:00:00Z")
    new = facts("a", neuron_id="x", created="2026-02-01T00:00:00Z")
    both = {old.key: old, new.key: new}
    assert settle(both, lambda _: None).owners == {"x": old}
    claims = settle(both, lambda _: new.key)
    assert claims.owners == {"x": new}
    assert claims.turned_away == {old.key: new.key}


def test_a_recreated_neuron_holds_its_id_by_its_name() -> None:
    back = facts("b", neuron_id="x", uid="second", created="2026-03-01T00:00:00Z")
    rival = facts("a", neuron_id="x", created="2026-02-01T00:00:00Z")
    claims = settle({back.key: back, rival.key: rival}, lambda _: back.key)
    assert claims.owners == {"x": back}


def test_a_state_is_published_when_it_says_something_else_or_the_heartbeat_moved_far() -> None:
    state = FederationState(FederationReason.REGISTERED, True, "fine", "x", 1000.0, True)
    assert worth_publishing(None, state)
    assert not worth_publishing(state, replace(state, last_heartbeat=1300.0))
    assert worth_publishing(state, replace(state, last_heartbeat=1300.1))
    assert worth_publishing(state, replace(state, message="not so fine"))
    assert worth_publishing(replace(state, last_heartbeat=None), state)
