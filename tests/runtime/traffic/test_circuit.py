"""When a variant is left alone, and when it is tried again."""

import pytest
from mlneuron_runtime.traffic.circuit import CONSECUTIVE, LONGEST_PAUSE_SECONDS, WINDOW, Circuit


class Clock:
    """In seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def failing(circuit: Circuit, times: int = CONSECUTIVE) -> Circuit:
    for _ in range(times):
        assert circuit.admits()
        circuit.failed()
    return circuit


def test_it_opens_after_failures_in_a_row(clock: Clock) -> None:
    circuit = failing(Circuit(clock), CONSECUTIVE - 1)
    assert circuit.admits()
    circuit.failed()
    assert (circuit.state, circuit.admits()) == ("open", False)


def test_a_success_between_failures_keeps_it_closed(clock: Clock) -> None:
    circuit = failing(Circuit(clock), CONSECUTIVE - 1)
    circuit.succeeded()
    assert failing(circuit, CONSECUTIVE - 1).state == "closed"


def test_it_opens_when_half_of_the_latest_fail(clock: Clock) -> None:
    circuit = Circuit(clock)
    for turn in range(WINDOW):
        assert circuit.state == "closed"
        circuit.failed() if turn % 2 else circuit.succeeded()
    assert circuit.state == "open"


def test_after_a_pause_one_request_tries_it(clock: Clock) -> None:
    circuit = failing(Circuit(clock))
    clock.now = 0.99
    assert not circuit.admits()
    clock.now = 1.0
    assert (circuit.admits(), circuit.admits(), circuit.state) == (True, False, "half_open")
    circuit.succeeded()
    assert (circuit.state, circuit.admits()) == ("closed", True)


def test_each_failed_attempt_doubles_the_pause_up_to_a_limit(clock: Clock) -> None:
    circuit = failing(Circuit(clock))
    pauses = []
    pause = 1.0
    for _ in range(8):
        clock.now += pause
        assert circuit.admits()
        circuit.failed()
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        clock.now += pause - 0.01
        assert not circuit.admits()
        clock.now -= pause - 0.01
        pauses.append(pause)
    assert pauses == [2, 4, 8, 16, 30, 30, 30, 30]


def test_an_attempt_that_tells_nothing_leaves_it_to_the_next(clock: Clock) -> None:
    circuit = failing(Circuit(clock))
    clock.now = 1.0
    assert circuit.admits()
    circuit.released()
    assert circuit.admits()


def test_failures_of_requests_that_were_under_way_do_not_prolong_the_pause(clock: Clock) -> None:
    circuit = failing(Circuit(clock))
    clock.now = 0.9
    circuit.failed()
    clock.now = 1.0
    assert circuit.admits()
