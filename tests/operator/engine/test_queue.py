"""The work queue: each key once, never by two, later when it failed. Time is a parameter here."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from mlneuron_operator.engine.queue import WorkQueue


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def drain(queue: WorkQueue[str]) -> list[str]:
    taken: list[str] = []
    while True:
        try:
            key = await asyncio.wait_for(queue.get(), 0.01)
        except TimeoutError:
            return taken
        taken.append(key)
        queue.done(key)


async def test_a_key_added_twice_comes_once() -> None:
    queue: WorkQueue[str] = WorkQueue(Clock())
    queue.add("a")
    queue.add("b")
    queue.add("a")
    assert await drain(queue) == ["a", "b"]


async def test_a_key_added_while_it_is_worked_on_comes_again_only_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue(Clock())
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    assert await drain(queue) == []
    queue.done("a")
    assert await drain(queue) == ["a"]


async def test_a_delayed_key_comes_at_its_time() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add_after("a", 10)
    assert await drain(queue) == []
    clock.now += 10
    assert await drain(queue) == ["a"]


async def test_of_two_delays_the_shorter_counts_and_the_longer_is_dropped() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add_after("a", 10)
    queue.add_after("a", 5)
    queue.add_after("a", 20)
    clock.now += 5
    assert await drain(queue) == ["a"]
    clock.now += 100
    assert await drain(queue) == []


async def test_a_key_added_now_does_not_wait_for_its_delay() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add_after("a", 10)
    queue.add("a")
    assert await drain(queue) == ["a"]
    clock.now += 10
    assert await drain(queue) == []


async def test_failures_back_off_twice_as_long_each_time_up_to_a_bound() -> None:
    queue: WorkQueue[str] = WorkQueue(Clock(), first_backoff=1, longest_backoff=6)
    assert [queue.retry("a") for _ in range(5)] == [1, 2, 4, 6, 6]
    assert queue.retry("b") == 1
    queue.forget("a")
    assert queue.retry("a") == 1


async def test_a_waiting_worker_wakes_for_a_key() -> None:
    queue: WorkQueue[str] = WorkQueue(Clock())
    waiting = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.wait(waiting, timeout=0.01)
    for key in "abc":
        queue.add(key)
    assert sorted(await asyncio.wait_for(asyncio.gather(*waiting), 1)) == ["a", "b", "c"]


@given(st.lists(st.tuples(st.sampled_from(["add", "get", "done"]), st.sampled_from("abc")), max_size=40))
def test_no_key_is_lost_and_none_is_with_two_workers(steps: list[tuple[str, str]]) -> None:
    async def run() -> None:
        queue: WorkQueue[str] = WorkQueue(Clock())
        busy: set[str] = set()
        owed: set[str] = set()
        for step, key in steps:
            if step == "add":
                queue.add(key)
                owed.add(key)
            elif step == "done" and key in busy:
                busy.discard(key)
                queue.done(key)
            elif step == "get" and len(queue):
                taken = await queue.get()
                assert taken not in busy
                busy.add(taken)
                owed.discard(taken)
        for key in list(busy):
            queue.done(key)
        assert set(await drain(queue)) == owed

    asyncio.run(run())
