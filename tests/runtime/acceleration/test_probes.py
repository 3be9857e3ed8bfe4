"""Probes are made of the model: its thresholds, its scales, the edges between its classes."""

from typing import Any

import numpy as np
import pytest
from mlneuron_runtime.acceleration.comparison import FEW_DIFFER, compared
from mlneuron_runtime.acceleration.preparing import answered
from mlneuron_runtime.acceleration.probes import probes
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.models.few import FEW
from mlneuron_runtime.models.sklearn import SklearnModel
from mlneuron_runtime.signature import Matrix
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeRegressor

from tests.runtime.acceleration.estimators import ACCELERATED, BINARY, ROWS, model
from tests.runtime.conftest import InlineModel


def rows_of(made: SklearnModel) -> Any:
    return np.concatenate(probes(made, lambda rows: made.predict((rows,)).values))


def test_the_same_model_is_asked_the_same() -> None:
    made = model(ACCELERATED["forest"]())
    np.testing.assert_array_equal(rows_of(made), rows_of(made))


def test_each_threshold_of_a_tree_is_met_and_passed() -> None:
    tree = DecisionTreeRegressor(max_depth=4).fit(ROWS, ROWS[:, 1])
    rows = rows_of(model(tree))
    inner = tree.tree_.children_left >= 0
    for feature, threshold in zip(tree.tree_.feature[inner], tree.tree_.threshold[inner], strict=True):
        column = rows[:, feature]
        assert (column == threshold).any()
        assert (column == np.nextafter(threshold, np.inf)).any()


def test_probes_come_near_the_edge_between_classes() -> None:
    made = model(ACCELERATED["logistic_scaled"]())
    shares = np.concatenate([answer.others["probabilities"] for _, answer in answered(made)])
    largest = np.sort(shares, axis=1)
    assert (largest[:, -1] - largest[:, -2]).min() < 1e-7


def test_probes_lie_where_the_rows_of_the_fit_lay() -> None:
    made = model(ACCELERATED["logistic_scaled"]())
    ordinary = probes(made, lambda rows: made.predict((rows,)).values)[1]
    np.testing.assert_allclose(ordinary.mean(axis=0), ROWS.mean(axis=0), atol=ROWS.std(axis=0).max())


def test_rows_outside_the_models_domain_are_left_out() -> None:
    def checked(rows: Any) -> Any:
        if (rows < -1e5).any():
            raise ValueError("out of the domain")
        return rows

    made = model(make_pipeline(FunctionTransformer(checked), LogisticRegression()).fit(ROWS, BINARY))
    assert 0 < len(answered(made)) < len(probes(made, lambda rows: made.predict((rows,)).values))


def numbered(size: int) -> Any:
    """Rows that say which they are."""
    return np.arange(2.0 * size).reshape(size, 2)


def saying(values: list[Any], confidences: list[float] | None = None) -> InlineModel:
    """A model that answers row i of `numbered` with entry i."""

    def answer(inputs: Any) -> Prediction:
        places = (inputs[0][:, 0] / 2).astype(int)
        return Prediction(np.array(values)[places], None if confidences is None else np.array(confidences)[places])

    return InlineModel(answer, Matrix(2))


def test_one_other_label_is_a_difference() -> None:
    one = Prediction(np.array(["a", "b", "a", "a"]), np.full(4, 0.5))
    verdict = compared([(numbered(4), one)], saying(["a", "b", "b", "a"], [0.5] * 4))
    assert (verdict.equal, str(verdict)) == (False, "1 of 4 probes differ")


def test_a_probability_may_differ_by_a_hundred_thousandth() -> None:
    one = Prediction(np.array([1, 1]), np.array([0.5, 0.5]))
    assert compared([(numbered(2), one)], saying([1, 1], [0.5, 0.500009])).equal
    assert not compared([(numbered(2), one)], saying([1, 1], [0.5, 0.50002])).equal


def test_a_number_may_differ_by_a_part_of_the_usual_ones() -> None:
    one = Prediction(np.array([1e6, 1e6, 0.0]))
    assert compared([(numbered(3), one)], saying([1e6 + 5, 1e6, 5.0])).equal
    assert not compared([(numbered(3), one)], saying([1e6 + 50, 1e6, 0.0])).equal


def test_answers_of_another_type_are_a_difference() -> None:
    one = Prediction(np.array([1, 2]))
    assert "values are float64" in str(compared([(numbered(2), one)], saying([1.0, 2.0])))


@pytest.mark.parametrize("size", [1, FEW])
def test_a_way_for_few_rows_that_answers_otherwise_is_a_difference(size: int) -> None:
    def answer(inputs: Any) -> Prediction:
        return Prediction(inputs[0][:, 0] + (len(inputs[0]) == size))

    rows = numbered(3 * FEW)
    verdict = compared([(rows, Prediction(rows[:, 0]))], InlineModel(answer, Matrix(2)))
    assert (verdict.equal, str(verdict)) == (False, FEW_DIFFER)
