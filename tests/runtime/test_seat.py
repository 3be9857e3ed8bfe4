"""Which of several processes takes the next connection."""

import socket
import time
from collections.abc import Iterator

import pytest
from mlneuron_runtime import tallies
from mlneuron_runtime.tallies import Tallies
from mlneuron_runtime.workers.seat import MOST_WAITS, Seat


@pytest.fixture
def seat() -> Iterator[Seat]:
    """The first of two; the other is ready and has three connections."""
    slots = [Tallies(), Tallies()]
    other = slots[1].cells
    other[tallies.READY], other[tallies.CONNECTIONS], other[tallies.PULSE] = 1.0, 3.0, time.monotonic()
    with Seat(slots, 0, socket.socket(), socket.socket(), shared=True) as made:
        yield made


@pytest.mark.parametrize(("mine", "leaves"), [(2, False), (3, False), (4, True)])
def test_a_connection_is_left_to_who_has_fewer(seat: Seat, mine: int, leaves: bool) -> None:
    assert seat.leaves_connection(mine, waits=0) is leaves
    assert seat.own.cells[tallies.CONNECTIONS] == mine, "the others know"


def test_it_is_left_for_a_moment_only(seat: Seat) -> None:
    assert seat.leaves_connection(4, waits=MOST_WAITS - 1)
    assert not seat.leaves_connection(4, waits=MOST_WAITS)


def test_nothing_is_left_to_one_that_is_not_ready(seat: Seat) -> None:
    seat.slots[1].cells[tallies.READY] = 0.0
    assert not seat.leaves_connection(4, waits=0)


def test_nothing_is_left_to_one_that_stands_still(seat: Seat) -> None:
    seat.slots[1].cells[tallies.PULSE] -= 60
    assert not seat.leaves_connection(4, waits=0)
