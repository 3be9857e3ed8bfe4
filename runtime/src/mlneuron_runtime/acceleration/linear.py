"""Linear models without onnxruntime: their arrays, taken out of scikit-learn's estimators."""

from typing import Any

import numpy as np

from mlneuron_runtime.models.linear import Linear

REGRESSORS = frozenset({
    "LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV", "Lars", "LassoLars",
    "BayesianRidge", "ARDRegression", "HuberRegressor", "TheilSenRegressor", "SGDRegressor",
    "OrthogonalMatchingPursuit", "LinearSVR",
})  # fmt: skip
"""Those whose answer is rows times coefficients plus intercept."""

CLASSIFIERS = frozenset({"LogisticRegression", "LogisticRegressionCV"})


def arrays_of(estimator: Any) -> Linear | None:
    """The arrays of a linear estimator, or of one behind standard scalers; None for any other."""
    *before, final = [step for _, step in getattr(estimator, "steps", [("", estimator)])]
    before = [step for step in before if step not in (None, "passthrough")]
    if type(final).__name__ not in REGRESSORS | CLASSIFIERS:
        return None
    if any(type(step).__name__ != "StandardScaler" for step in before):
        return None
    weights = np.atleast_2d(np.asarray(final.coef_, np.float64)).T
    width, targets = weights.shape
    offsets = [step.mean_ if step.with_mean else np.zeros(width) for step in before]
    divisors = [step.scale_ if step.with_std else np.ones(width) for step in before]
    intercept = np.broadcast_to(np.asarray(final.intercept_, np.float64), (targets,)).copy()
    shares = type(final).__name__ in CLASSIFIERS
    if shares and targets == 1:  # the score of the second of two classes; the first has none
        weights, intercept = np.hstack([np.zeros((width, 1)), weights]), np.hstack([0.0, intercept])
    return Linear(
        np.array(offsets).reshape(-1, width) if offsets else np.zeros((0, width)),
        np.array(divisors).reshape(-1, width) if divisors else np.ones((0, width)),
        np.ascontiguousarray(weights),
        intercept,
        shares,
    )
