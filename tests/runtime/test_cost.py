"""Where a model runs is decided by what its calls cost."""

from itertools import count

import pytest
from mlneuron_runtime.cost import CHEAP_SECONDS, MANY, Cost, measured
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.signature import Matrix
from mlneuron_runtime.tensors import Inputs

from tests.runtime.conftest import InlineModel, summing


@pytest.mark.parametrize(
    ("cost", "rows"),
    [
        (Cost(CHEAP_SECONDS * 2, CHEAP_SECONDS * 2), 0),
        (Cost(1e-6, 1e-6), 1024),
        (Cost(0.0001, 0.0001 + 31 * 0.00004), 11),
        (Cost(CHEAP_SECONDS, 1.0), 1),
        (Cost(1e-6, 1e-6, most=63), 63),
        (Cost(0.0001, 0.0001 + 30 * 0.00004, rows=31, most=31), 11),
    ],
)
def test_a_turn_of_the_loop_holds_as_many_rows_as_are_cheap(cost: Cost, rows: int) -> None:
    assert cost.inline_rows == rows


def test_the_fastest_of_some_calls_counts() -> None:
    ticks = count()
    cost = measured(InlineModel(summing, Matrix(2)), clock=lambda: next(ticks) * 0.0001)
    assert cost is not None
    assert cost.one == pytest.approx(0.0001)
    assert cost.inline_rows == 1024


@pytest.mark.parametrize(("crossover", "most"), [(MANY, MANY - 1), (250, MANY)])
def test_no_call_is_made_that_is_another_librarys(crossover: int, most: int) -> None:
    sizes = []

    def noting(inputs: Inputs) -> Prediction:
        sizes.append(len(inputs[0]))
        return summing(inputs)

    cost = measured(InlineModel(noting, Matrix(2)), crossover)
    assert cost is not None
    assert max(sizes) == most
    assert cost.inline_rows < crossover


def test_a_model_that_says_nothing_of_its_rows_is_not_measured() -> None:
    assert measured(InlineModel(summing, Matrix(None))) is None


def test_a_model_that_takes_one_row_at_a_time_is_left_to_its_thread() -> None:
    def one(inputs: Inputs) -> Prediction:
        if len(inputs[0]) == MANY:
            raise ValueError("one row, please")
        return summing(inputs)

    assert measured(InlineModel(one, Matrix(2))) is None
