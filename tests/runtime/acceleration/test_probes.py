"""Probes are made of the model: its thresholds, its scales, the edges between its classes."""

from typing import Any

import numpy as np
from mlneuron_runtime.acceleration.comparison import compared
from mlneuron_runtime.acceleration.preparing import answered
from mlneuron_runtime.acceleration.probes import probes
from mlneuron_runtime.models.base import Prediction
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


def test_one_other_label_is_a_difference() -> None:
    rows = np.zeros((4, 2))
    one = Prediction(np.array(["a", "b", "a", "a"]), np.full(4, 0.5))
    other = InlineModel(lambda _rows: Prediction(np.array(["a", "b", "b", "a"]), np.full(4, 0.5)), Matrix(2))
    verdict = compared([(rows, one)], other)
    assert (verdict.equal, str(verdict)) == (False, "1 of 4 probes differ")


def test_a_probability_may_differ_by_a_hundred_thousandth() -> None:
    rows = np.zeros((2, 2))
    one = Prediction(np.array([1, 1]), np.array([0.5, 0.5]))
    near = InlineModel(lambda _rows: Prediction(np.array([1, 1]), np.array([0.5, 0.500009])), Matrix(2))
    far = InlineModel(lambda _rows: Prediction(np.array([1, 1]), np.array([0.5, 0.50002])), Matrix(2))
    assert compared([(rows, one)], near).equal
    assert not compared([(rows, one)], far).equal


def test_a_number_may_differ_by_a_part_of_the_usual_ones() -> None:
    rows = np.zeros((3, 2))
    one = Prediction(np.array([1e6, 1e6, 0.0]))
    near = InlineModel(lambda _rows: Prediction(np.array([1e6 + 5, 1e6, 5.0])), Matrix(2))
    far = InlineModel(lambda _rows: Prediction(np.array([1e6 + 50, 1e6, 0.0])), Matrix(2))
    assert compared([(rows, one)], near).equal
    assert not compared([(rows, one)], far).equal


def test_answers_of_another_type_are_a_difference() -> None:
    one = Prediction(np.array([1, 2]))
    other = InlineModel(lambda _rows: Prediction(np.array([1.0, 2.0])), Matrix(2))
    assert "values are float64" in str(compared([(np.zeros((2, 2)), one)], other))
