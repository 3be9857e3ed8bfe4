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


def test_a_model_that_says_nothing_of_its_rows_is_not_measured() -> None:
    assert measured(InlineModel(summing, Matrix(None))) is None


def test_a_model_that_takes_one_row_at_a_time_is_left_to_its_thread() -> None:
    def one(inputs: Inputs) -> Prediction:
        if len(inputs[0]) == MANY:
            raise ValueError("one row, please")
        return summing(inputs)

    assert measured(InlineModel(one, Matrix(2))) is None
