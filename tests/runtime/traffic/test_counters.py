"""What is counted of each variant, in cells that processes share."""

import pytest
from mlneuron_runtime.tallies import READY, Tallies
from mlneuron_runtime.traffic.counters import BOUNDS, COARSE, Board, agreed, counted
from mlneuron_runtime.traffic.marks import Marks
from mlneuron_runtime.traffic.memory import REMEMBERED, REMEMBERED_SECONDS, Memory
from mlneuron_runtime.traffic.mirror import LONGEST_QUEUE, MOST_BYTES, Copy, Mirror
from mlneuron_runtime.traffic.table import MOST_VARIANTS

from tests.runtime.support import until


def test_processes_that_met_variants_in_another_order_add_up() -> None:
    one, other = Tallies(), Tallies()
    for tallies, names in ((one, ("a", "b")), (other, ("b", "a"))):
        board = Board(tallies)
        board.expect("1", names)
        for name in names:
            board.of(name).served(0.01)
        board.of("a").fell("timeout", 1.0)
    found = counted([one, other], ("a", "b", "new"))
    assert {name: found[name].count("requests") for name in found} == {"a": 2, "b": 2, "new": 0}
    assert (found["a"]["timeout"], found["a"]["errors"], sum(found["a"].latency)) == (2, 2, 4)


def test_a_variant_that_comes_back_finds_its_counts_until_its_place_is_needed() -> None:
    tallies = Tallies()
    board = Board(tallies)
    board.expect("1", ["old"])
    board.of("old").add("requests")
    board.expect("2", [])
    board.expect("3", ["old"])
    board.of("old").add("requests")
    assert counted([tallies], ["old"])["old"]["requests"] == 2
    names = [f"new-{number}" for number in range(MOST_VARIANTS)]
    board.expect("4", names)
    for name in ("primary", *names):
        board.of(name).add("requests")
    found = counted([tallies], ["old", "primary", *names])
    assert found["old"]["requests"] == 0
    assert all(found[name]["requests"] == 1 for name in ("primary", *names))


def test_a_latency_is_in_the_bucket_of_its_bound_and_the_coarse_ones_add_up() -> None:
    tallies = Tallies()
    counters = Board(tallies).of("primary")
    for seconds in (*BOUNDS, 0.0, 100.0):
        counters.answered(seconds)
    found = counted([tallies], ["primary"])["primary"]
    assert list(found.latency) == [2, *[1] * (len(BOUNDS) - 1), 1]
    assert list(found.coarse_latency) == [2, *[8] * (len(COARSE) - 1), 1]


def test_processes_agree_once_all_that_are_ready_have_the_same_table() -> None:
    everyone = [Tallies(), Tallies()]
    boards = [Board(tallies) for tallies in everyone]
    for tallies in everyone:
        tallies.cells[READY] = 1
    boards[0].expect("1", [])
    assert not agreed(everyone)
    boards[1].expect("1", [])
    assert agreed(everyone)
    boards[0].expect("2", [])
    everyone[0].cells[READY] = 0
    assert agreed(everyone)


def test_the_memory_keeps_the_latest_for_as_long_as_it_says() -> None:
    now = 1000.0
    memory = Memory(lambda: now)
    mark = Marks("a", lambda: now).note(1.0)
    for subject in range(REMEMBERED + 1):
        memory.note("subject", str(subject), mark)
    memory.note("subject", "1", mark)
    memory.note("subject", "new", mark)
    known = [memory.recall("subject", subject) is not None for subject in ("0", "1", "2", "3", "new")]
    assert known == [False, True, False, True, True]
    now += REMEMBERED_SECONDS
    assert memory.recall("subject", "3") is not None
    now += 1
    assert memory.recall("subject", "3") is None


@pytest.mark.parametrize(("size", "kept"), [(1, LONGEST_QUEUE), (MOST_BYTES // 10, 10)])
async def test_the_shadows_queue_is_bounded_in_copies_and_in_bytes(size: int, kept: int) -> None:
    tallies = Tallies()
    counters = Board(tallies).of("a")
    mirror = Mirror()

    async def ask() -> tuple[bool, float]:
        return True, 0.0

    for _ in range(kept + 5):  # none is taken from it before this coroutine waits
        mirror.offer(Copy(ask, 0.0, size, counters))
    await until(lambda: counted([tallies], ["a"])["a"]["agree"] == kept)
    assert counted([tallies], ["a"])["a"]["dropped"] == 5
