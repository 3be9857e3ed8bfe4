"""The cheapest way to an estimator's own answers.

The answer is always what `estimator.predict` would say. Where a class is known to predict the most probable
label (`ONE_PASS`), one `predict_proba` gives label and confidence together, at half the cost. Any other
classifier with probabilities (SVC, tuned thresholds, a user's subclass) is asked twice in the same call,
since its `predict` may disagree with them. Confidence is the probability of the predicted label; without
probabilities there is none. Outlier detectors whose label is the sign of their score (`BY_SIGN`) tell the score too.
What has no `predict` answers what its `transform` makes of a row.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from mlneuron_runtime.models.base import PROBABILITIES, Prediction
from mlneuron_runtime.models.shares import largest

SCORE = "score"
"""The output's name in the protocols that name them."""

ONE_PASS = frozenset({
    "AdaBoostClassifier", "BernoulliNB", "CalibratedClassifierCV", "CategoricalNB", "ComplementNB",
    "DecisionTreeClassifier", "ExtraTreeClassifier", "ExtraTreesClassifier", "GaussianNB",
    "GradientBoostingClassifier", "HistGradientBoostingClassifier", "KNeighborsClassifier",
    "LinearDiscriminantAnalysis", "LogisticRegression", "LogisticRegressionCV", "MLPClassifier",
    "MultinomialNB", "QuadraticDiscriminantAnalysis", "RandomForestClassifier", "XGBClassifier",
})  # fmt: skip
"""Classes, exactly as scikit-learn and xgboost ship them, whose `predict` is the argmax of
`predict_proba`.
"""

BY_SIGN = frozenset({"EllipticEnvelope", "IsolationForest", "LocalOutlierFactor", "SGDOneClassSVM"})
"""Outlier detectors, exactly as scikit-learn ships them, that call a row an outlier (-1) where their
`decision_function` is below 0.
"""


def predictor(estimator: Any) -> Callable[[Any], Prediction]:
    """Of what the estimator's methods take, its answers."""
    classes = getattr(estimator, "classes_", None)
    if not hasattr(estimator, "predict"):
        return lambda rows: Prediction(values_of(estimator.transform(rows)))
    final = final_step(estimator)
    if is_shipped(final) and type(final).__name__ in BY_SIGN:
        return lambda rows: by_sign(estimator.decision_function(rows))
    many_outputs = isinstance(classes, list) or getattr(estimator, "multilabel_", False)
    if many_outputs or not hasattr(estimator, "predict_proba"):
        return lambda rows: Prediction(values_of(estimator.predict(rows)))
    if isinstance(classes, np.ndarray) and predicts_most_probable(final):
        return lambda rows: most_probable(classes, estimator.predict_proba(rows))
    return lambda rows: asked_twice(estimator, rows)


def final_step(estimator: Any) -> Any:
    """What predicts in the end: inside pipelines and fitted searches."""
    while True:
        if hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator


def is_steady(estimator: Any) -> bool:
    """Whether all that a prediction goes through is the libraries' own code."""
    return all(is_shipped(step) and not hasattr(step, "func") for step in parts_of(estimator))


def parts_of(estimator: Any) -> list[Any]:
    """The estimators that a prediction goes through, inside searches, pipelines and column transformers."""
    held = getattr(estimator, "best_estimator_", estimator)
    inner = [*getattr(held, "steps", ()), *getattr(held, "transformer_list", ())]
    steps = [step for _, step in inner] + [step for _, step, _ in getattr(held, "transformers_", ())]
    if not steps:
        return [held]
    return [part for step in steps if not isinstance(step, str) and step is not None for part in parts_of(step)]


def is_shipped(estimator: Any) -> bool:
    """Whether its class is the library's own, not a user's subclass."""
    return type(estimator).__module__.partition(".")[0] in {"sklearn", "xgboost"}


def predicts_most_probable(final: Any) -> bool:
    """Whether the argmax of the probabilities is the prediction, by class and, for networks, by kind of
    target.
    """
    multilabel = (
        type(final).__name__ == "MLPClassifier" and final.out_activation_ == "logistic" and final.n_outputs_ > 1
    )
    one_vs_rest = getattr(final, "solver", None) == "liblinear" and len(final.classes_) > 2
    return is_shipped(final) and type(final).__name__ in ONE_PASS and not multilabel and not one_vs_rest


def by_sign(scores: Any) -> Prediction:
    """Inliers are 1, outliers -1; there is no probability of either."""
    return Prediction(np.where(scores < 0, -1, 1), None, {SCORE: scores})


def most_probable(classes: Any, probabilities: Any) -> Prediction:
    """Label and confidence from one pass."""
    best = probabilities.argmax(axis=1)
    probabilities = probabilities.astype(np.float64, copy=False)
    return Prediction(classes.take(best), largest(probabilities), {PROBABILITIES: probabilities})


def asked_twice(estimator: Any, rows: Any) -> Prediction:
    """The label from `predict`, its confidence from `predict_proba`; none where the two do not line up."""
    values = values_of(estimator.predict(rows))
    probabilities = estimator.predict_proba(rows)
    if isinstance(probabilities, list) or values.ndim > 1:
        return Prediction(values)
    probabilities = np.asarray(probabilities, dtype=np.float64)
    others = {PROBABILITIES: probabilities}
    classes = getattr(estimator, "classes_", None)
    if classes is None or not np.isin(values, classes).all():
        return Prediction(values, largest(probabilities), others)
    chosen = np.searchsorted(classes, values)
    return Prediction(values, probabilities[np.arange(len(values)), chosen], others)


def values_of(predicted: Any) -> Any:
    """An array of (rows,) or (rows, outputs); a single output's column is no list."""
    values = np.asarray(predicted.toarray() if hasattr(predicted, "toarray") else predicted)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
