"""Queue and worker: batches form under load, answers find their requests, bad neighbours do no harm."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlneuron_runtime.batcher import Batcher, Failure, Observed, Piece, share
from mlneuron_runtime.errors import Overloaded
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.settings import Batching

from tests.runtime.odd_models import BLOCK, NOT_FINITE, POISON, Gate, Summing
from tests.runtime.support import until


def summing(inputs: Any) -> Prediction:
    (rows,) = inputs
    return Prediction(Summing().predict(rows), rows[:, 0].copy())


@asynccontextmanager
async def batcher(predict: Callable[[Any], Prediction], inline_rows: int = 0, **limits: Any) -> AsyncIterator[Batcher]:
    made = Batcher(predict, Batching(**limits), inline_rows=inline_rows)
    made.start()
    yield made
    made.close()
    await until(lambda: not made.alive)


def row(*values: float) -> Any:
    return (np.array([values]),)


def values(pieces: list[Piece]) -> list[Any]:
    """Each row's value, or its exception's type."""
    told: list[Any] = []
    for piece in pieces:
        outcome = piece.outcome
        if isinstance(outcome, Failure):
            told += [type(outcome.error)] * piece.size
        else:
            told += outcome.values.tolist()[piece.start : piece.stop]
    return told


async def blocked(made: Batcher, gate: Gate) -> Awaitable[list[Piece]]:
    """A request that keeps the model busy until the gate opens."""
    task = asyncio.ensure_future(made.submit(row(BLOCK), 30))
    await until(gate.entered.is_set)
    return task


async def test_a_lone_request_is_answered_by_itself() -> None:
    async with batcher(summing) as made:
        assert values(await made.submit(row(1, 2), 30)) == [3.0]


async def test_requests_that_come_while_the_model_is_busy_form_one_batch_in_order() -> None:
    gate = Gate(summing)
    async with batcher(gate) as made:
        first = await blocked(made, gate)
        waiting = [asyncio.ensure_future(made.submit(row(float(i)), 30)) for i in range(20)]
        await until(lambda: made.depth == 20)
        gate.opened.set()
        assert [values(await task) for task in waiting] == [[float(i)] for i in range(20)]
        assert values(await first) == [BLOCK]
    assert gate.sizes == [1, 20]


async def test_a_batch_is_no_larger_than_max_size_unless_one_request_is() -> None:
    gate = Gate(summing)
    async with batcher(gate, max_size=4) as made:
        first = await blocked(made, gate)
        waiting = [asyncio.ensure_future(made.submit((np.ones((size, 1)),), 30)) for size in (3, 2, 2, 9, 1)]
        await until(lambda: made.depth == 5)
        gate.opened.set()
        assert [len(values(pieces)) for pieces in await asyncio.gather(*waiting)] == [3, 2, 2, 9, 1]
        await first
    assert gate.sizes == [1, 3, 4, 9, 1]


async def test_rows_of_different_width_go_in_different_batches() -> None:
    gate = Gate(summing)
    async with batcher(gate) as made:
        first = await blocked(made, gate)
        waiting = [asyncio.ensure_future(made.submit((np.ones((1, width)),), 30)) for width in (1, 1, 2, 1)]
        await until(lambda: made.depth == 4)
        gate.opened.set()
        assert [values(pieces) for pieces in await asyncio.gather(*waiting)] == [[1.0], [1.0], [2.0], [1.0]]
        await first
    assert gate.sizes == [1, 2, 1, 1]


async def test_a_delay_gathers_requests_that_come_apart() -> None:
    gate = Gate(summing)
    async with batcher(gate, max_size=2, max_delay_seconds=30.0) as made:
        first = asyncio.ensure_future(made.submit(row(1.0), 30))
        await until(lambda: made.depth == 0)
        assert values(await made.submit(row(2.0), 30)) == [2.0]
        assert values(await first) == [1.0]
    assert gate.sizes == [2]


async def test_a_full_queue_refuses_at_once_and_recovers() -> None:
    gate = Gate(summing)
    async with batcher(gate, max_queue=2) as made:
        first = await blocked(made, gate)
        waiting = [asyncio.ensure_future(made.submit(row(float(i)), 30)) for i in range(2)]
        await until(lambda: made.depth == 2)
        with pytest.raises(Overloaded, match="the queue holds 2 requests"):
            await made.submit(row(9.0), 30)
        gate.opened.set()
        await asyncio.gather(first, *waiting)
        assert values(await made.submit(row(9.0), 30)) == [9.0]


async def test_a_request_past_its_deadline_gives_up_and_is_never_run() -> None:
    gate = Gate(summing)
    async with batcher(gate, max_size=1) as made:
        first = await blocked(made, gate)
        with pytest.raises(TimeoutError):
            await made.submit(row(1.0), 0.01)
        gate.opened.set()
        await first
        assert values(await made.submit(row(2.0), 30)) == [2.0]
    assert gate.sizes == [1, 1]


async def test_a_poisoned_request_fails_alone() -> None:
    gate = Gate(summing)
    async with batcher(gate) as made:
        first = await blocked(made, gate)
        waiting = [asyncio.ensure_future(made.submit(row(value), 30)) for value in (1.0, POISON, 3.0, 4.0, 5.0)]
        await until(lambda: made.depth == 5)
        gate.opened.set()
        answers = [values(pieces) for pieces in await asyncio.gather(*waiting)]
        assert answers == [[1.0], [ValueError], [3.0], [4.0], [5.0]]
        await first


async def test_poisoned_rows_of_one_request_are_told_apart() -> None:
    async with batcher(summing) as made:
        pieces = await made.submit((np.array([[1.0], [POISON], [3.0], [NOT_FINITE], [5.0]]),), 30)
    assert values(pieces) == [1.0, ValueError, 3.0, ValueError, 5.0]


async def test_a_model_with_the_wrong_number_of_answers_fails() -> None:
    async with batcher(lambda inputs: Prediction(np.zeros(len(inputs[0]) + 1))) as made:
        assert values(await made.submit(row(1.0), 30)) == [ValueError]


async def test_the_search_for_the_poison_ends_at_the_deadline() -> None:
    ticks = iter(range(10_000))
    calls: list[Observed] = []
    made = Batcher(summing, Batching(), calls.append, clock=lambda: float(next(ticks)))
    made.start()
    pieces = await made.submit((np.full((512, 1), POISON),), 20.0)
    made.close()
    assert sum(piece.size for piece in pieces) == 512
    assert len(calls) < 40


async def test_the_model_is_only_ever_called_from_its_one_thread() -> None:
    threads: set[str] = set()

    def predict(inputs: Any) -> Prediction:
        threads.add(threading.current_thread().name)
        return summing(inputs)

    async with batcher(predict) as made:
        await asyncio.gather(*(made.submit(row(float(i)), 30) for i in range(50)))
    assert threads == {"model"}


async def test_the_loop_goes_on_while_the_model_works() -> None:
    gate = Gate(summing)
    async with batcher(gate) as made:
        first = await blocked(made, gate)
        assert made.busy_seconds() >= 0
        await asyncio.wait_for(asyncio.to_thread(time.monotonic), 5)
        gate.opened.set()
        await first
    assert made.busy_seconds() == 0


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.data())
def test_pieces_are_shared_out_at_the_borders_of_the_jobs(sizes: list[int], data: st.DataObject) -> None:
    total = sum(sizes)
    cuts = sorted({*data.draw(st.sets(st.integers(1, total))), total})
    pieces = []
    for start, stop in zip([0, *cuts], cuts, strict=False):
        failed = data.draw(st.booleans())
        whole = Prediction(np.arange(start, stop))
        pieces.append(Piece(Failure(ValueError(str(start))) if failed else whole, 0, stop - start))
    shares = share(pieces, sizes)
    assert [sum(piece.size for piece in shared) for shared in shares] == sizes
    flat = [value for shared in shares for value in values(shared)]
    assert len(flat) == total
    assert all(value in (place, ValueError) for place, value in enumerate(flat))


async def test_what_comes_in_one_turn_of_the_loop_is_one_call_where_the_model_is_cheap() -> None:
    threads: set[str] = set()

    def predict(inputs: Any) -> Prediction:
        threads.add(threading.current_thread().name)
        answer: Prediction = gate(inputs)
        return answer

    gate = Gate(summing)
    async with batcher(predict, inline_rows=8) as made:
        waiting = [made.submit(row(float(i)), 30) for i in range(20)]
        assert [values(await answer) for answer in waiting] == [[float(i)] for i in range(20)]
    assert gate.sizes == [8, 8, 4]
    assert threads == {threading.current_thread().name}


async def test_a_job_too_large_for_a_turn_goes_to_the_worker_and_what_follows_waits_behind_it() -> None:
    gate = Gate(summing)
    async with batcher(gate, inline_rows=2) as made:
        large = made.submit((np.full((3, 1), BLOCK),), 30)
        await until(gate.entered.is_set)
        small = made.submit(row(1.0), 30)
        assert made.at_once(row(2.0)) is None
        assert made.depth == 1
        gate.opened.set()
        assert values(await large) == [BLOCK] * 3
        assert values(await small) == [1.0]
        await until(lambda: made.at_once(row(2.0)) is not None)


async def test_a_lone_request_of_a_cheap_model_is_answered_at_once() -> None:
    async with batcher(summing, inline_rows=2) as made:
        at_once = made.at_once(row(1.0, 2.0))
        assert at_once is not None
        assert values(at_once) == [3.0]
        assert made.at_once((np.ones((3, 1)),)) is None
    async with batcher(summing) as dear:
        assert dear.at_once(row(1.0)) is None


async def test_rows_of_different_width_in_one_turn_go_in_different_calls() -> None:
    gate = Gate(summing)
    async with batcher(gate, inline_rows=8) as made:
        waiting = [made.submit((np.ones((1, width)),), 30) for width in (1, 1, 2, 1)]
        assert [values(await answer) for answer in waiting] == [[1.0], [1.0], [2.0], [1.0]]
    assert gate.sizes == [2, 1, 1]


async def test_a_poisoned_request_fails_alone_in_a_turn_too() -> None:
    async with batcher(summing, inline_rows=8) as made:
        waiting = [made.submit(row(value), 30) for value in (1.0, POISON, 3.0)]
        assert [values(await answer) for answer in waiting] == [[1.0], [ValueError], [3.0]]


async def test_a_wanted_delay_leaves_nothing_to_the_turn() -> None:
    async with batcher(summing, inline_rows=8, max_delay_seconds=0.001) as made:
        assert made.at_once(row(1.0)) is None


async def test_a_full_turn_refuses_as_a_full_queue_does() -> None:
    async with batcher(summing, inline_rows=8, max_queue=2) as made:
        waiting = [made.submit(row(float(i)), 30) for i in range(2)]
        with pytest.raises(Overloaded):
            made.submit(row(9.0), 30)
        assert [values(await answer) for answer in waiting] == [[0.0], [1.0]]
