"""Linear models are kept as arrays and answered by numpy."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mlneuron_runtime.acceleration.conversion import candidates
from mlneuron_runtime.acceleration.linear import arrays_of
from mlneuron_runtime.models.linear import Linear
from mlneuron_runtime.models.shares import softmax
from mlneuron_runtime.tensors import FloatArray
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.runtime.acceleration.estimators import ACCELERATED, BINARY, ROWS, SCORES, THREE, model


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(max_iter=500).fit(ROWS, BINARY),
        make_pipeline(StandardScaler(with_mean=False), LogisticRegression()).fit(ROWS, THREE),
        make_pipeline(StandardScaler(with_std=False), "passthrough", LogisticRegression(max_iter=500)).fit(ROWS, THREE),
    ],
    ids=["two classes", "only stretched", "only moved"],
)
def test_the_kept_arrays_give_the_probabilities(estimator: Any) -> None:
    found = arrays_of(estimator)
    assert found is not None
    (shares,) = Linear.of(found.content()).runner()(ROWS)
    np.testing.assert_allclose(shares, estimator.predict_proba(ROWS), rtol=0, atol=1e-12)


def test_a_regressor_without_intercept_has_one_of_zero() -> None:
    estimator = LinearRegression(fit_intercept=False).fit(ROWS, SCORES)
    found = arrays_of(estimator)
    assert found is not None
    (numbers,) = found.runner()(ROWS)
    np.testing.assert_allclose(numbers[:, 0], estimator.predict(ROWS), rtol=1e-12)


def test_extreme_rows_give_probabilities_without_a_warning() -> None:
    found = arrays_of(ACCELERATED["logistic"]())
    assert found is not None
    (shares,) = found.runner()(np.full((1, 5), 3e38))
    assert shares.sum() == 1


def test_other_estimators_have_no_arrays() -> None:
    assert arrays_of(ACCELERATED["forest"]()) is None
    assert arrays_of(ACCELERATED["logistic_components"]()) is None


def test_numpy_is_tried_first() -> None:
    assert candidates(model(ACCELERATED["logistic_scaled"]()))[0]().library == "numpy"


def test_an_archive_with_pickled_objects_is_refused() -> None:
    held = io.BytesIO()
    np.savez(held, offsets=np.array([print], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        Linear.of(held.getvalue())


@given(
    scores=arrays(np.float64, st.tuples(st.integers(2, 40), st.integers(1, 12)), elements=st.floats(-1e300, 1e300)),
)
def test_many_rows_have_the_shares_of_each_alone_to_the_last_bit(scores: FloatArray) -> None:
    alone = np.concatenate([softmax(row.reshape(1, -1)) for row in scores])
    np.testing.assert_array_equal(softmax(scores), alone)


@pytest.mark.parametrize("name", ["logistic", "logistic_scaled"])
def test_one_row_by_itself_is_answered_as_among_many(name: str) -> None:
    found = arrays_of(ACCELERATED[name]())
    assert found is not None
    run = found.runner()
    (many,) = run(ROWS)
    alone = np.concatenate([run(row[np.newaxis])[0] for row in ROWS])
    np.testing.assert_allclose(alone, many, rtol=1e-12, atol=1e-300)


def test_a_column_without_a_spread_is_no_error_of_one_row() -> None:
    flat = Linear(np.zeros((1, 2)), np.array([[1.0, 0.0]]), np.ones((2, 1)), np.zeros(1), shares=False)
    with np.errstate(all="ignore"):
        assert np.isinf(flat.runner()(np.ones((1, 2)))[0]).all()
