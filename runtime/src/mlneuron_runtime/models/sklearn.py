"""scikit-learn estimators and pipelines, and anything pickled that speaks their interface (xgboost's
wrappers).

The answer is always what `estimator.predict` would say. Where a class is known to predict the most probable
label (`ONE_PASS`), one `predict_proba` gives label and confidence together, at half the cost. Any other
classifier with probabilities (SVC, tuned thresholds, a user's subclass) is asked twice in the same call,
since its `predict` may disagree with them. Confidence is the probability of the predicted label; without
probabilities there is none.
"""

import importlib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from mlneuron_runtime.failure import Fatal, Reason, first_line
from mlneuron_runtime.models import artifact
from mlneuron_runtime.models.base import PROBABILITIES, Prediction
from mlneuron_runtime.models.names import snake
from mlneuron_runtime.signature.matrix import FloatArray, Matrix
from mlneuron_runtime.tensors import Inputs

log = structlog.get_logger()

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


class SklearnModel:
    """An estimator behind the Model protocol."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator
        self.signature = signature_of(estimator)
        self.type = f"sklearn_{snake(type(final_step(estimator)).__name__)}"
        self.steady = all(is_shipped(step) and not hasattr(step, "func") for step in steps_of(estimator))
        self._predict = predictor(estimator)

    @property
    def details(self) -> Mapping[str, object]:
        classes = getattr(self.estimator, "classes_", None)
        return {"classes": classes.tolist()} if isinstance(classes, np.ndarray) else {}

    def predict(self, inputs: Inputs) -> Prediction:
        (rows,) = inputs
        return self._predict(rows)


def load(path: Path, image: str) -> SklearnModel:
    """Unpickle an estimator; Fatal says what is missing, or what the file is instead."""
    estimator = unpickle(path, image)
    if not callable(getattr(estimator, "predict", None)):
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            "spec.model.uri: the artifact holds a "
            f"{type(estimator).__module__}.{type(estimator).__name__}, which has "
            "no predict method; pickle a fitted estimator or Pipeline",
        )
    check_fitted(estimator)
    return SklearnModel(estimator)


def check_fitted(estimator: Any) -> None:
    """Fatal for a model that was saved before it was trained, which would load, and answer nothing.

    Asked of classes as their libraries ship them: what a user's class keeps of its training nobody can tell.
    """
    final = final_step(estimator)
    if not is_shipped(final):
        return
    exceptions, validation = (importlib.import_module(f"sklearn.{name}") for name in ("exceptions", "utils.validation"))
    try:
        validation.check_is_fitted(final)
    except exceptions.NotFittedError as error:
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: the artifact holds a {type(final).__name__} that is not fitted; "
            "call fit before saving it",
        ) from error


def unpickle(path: Path, image: str) -> Any:
    """Load a joblib or pickle file, telling a version skew as a warning and a missing module by its name."""
    joblib = required("joblib", "sklearn", image)
    required("sklearn", "sklearn", image)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator = joblib.load(path)
    except ModuleNotFoundError as error:
        raise missing_module(error, image) from error
    except Exception as error:  # unpickling runs the artifact's code, which may raise anything
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: the artifact cannot be unpickled ({first_line(error)}); it looks like "
            f"{artifact.describe(path)}: save a fitted estimator with joblib.dump, from classes that "
            f"{image} has, or "
            "correct spec.model.framework",
        ) from error
    tell_warnings(caught)
    # a model fitted on a data frame is sent plain rows here, in the order of its columns
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    return estimator


def required(module: str, framework: str, image: str) -> Any:
    """Import a framework's library, or say which image has it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.framework: {framework} needs the Python module '{error.name}', which {image} "
            "does not have; "
            "use the image that serves this framework",
        ) from error


def missing_module(error: ModuleNotFoundError, image: str) -> Fatal:
    """The artifact was pickled with a library that this image lacks."""
    return Fatal(
        Reason.MODEL_LOAD_FAILED,
        f"spec.model.uri: the artifact needs the Python module '{error.name}', which {image} does not have; "
        f"build an image from it with that module added, or save the model without it",
    )


def tell_warnings(caught: list[warnings.WarningMessage]) -> None:
    """One structured event for each distinct warning; a version skew names both versions."""
    for item in {str(item.message): item for item in caught}.values():
        trained_with = getattr(item.message, "original_sklearn_version", None)
        if trained_with is None:
            log.warning("model load warning", category=item.category.__name__, warning=str(item.message))
            continue
        log.warning(
            "model was trained with another scikit-learn version: answers may differ",
            estimator=getattr(item.message, "estimator_name", None),
            trained_with=trained_with,
            serving_with=getattr(item.message, "current_sklearn_version", None),
        )


def signature_of(estimator: Any) -> Matrix:
    """From the fitted attributes `n_features_in_` and `feature_names_in_`, where the estimator has them."""
    names = getattr(estimator, "feature_names_in_", None)
    width = getattr(estimator, "n_features_in_", None)
    return Matrix(None if width is None else int(width), None if names is None else tuple(map(str, names)))


def final_step(estimator: Any) -> Any:
    """What predicts in the end: inside pipelines and fitted searches."""
    while True:
        if hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator


def steps_of(estimator: Any) -> list[Any]:
    """The estimators that a prediction goes through: a pipeline's, those of a fitted search, or itself alone."""
    held = getattr(estimator, "best_estimator_", estimator)
    steps = [step for _, step in getattr(held, "steps", ())] or [held]
    return [step for step in steps if step not in (None, "passthrough")]


def is_shipped(estimator: Any) -> bool:
    """Whether its class is the library's own, not a user's subclass."""
    return type(estimator).__module__.partition(".")[0] in {"sklearn", "xgboost"}


def predictor(estimator: Any) -> Callable[[FloatArray], Prediction]:
    """The cheapest way that gives this estimator's own answers."""
    classes = getattr(estimator, "classes_", None)
    many_outputs = isinstance(classes, list) or getattr(estimator, "multilabel_", False)
    if many_outputs or not hasattr(estimator, "predict_proba"):
        return lambda rows: Prediction(values_of(estimator.predict(rows)))
    if isinstance(classes, np.ndarray) and predicts_most_probable(final_step(estimator)):
        return lambda rows: most_probable(classes, estimator.predict_proba(rows))
    return lambda rows: asked_twice(estimator, rows)


def predicts_most_probable(final: Any) -> bool:
    """Whether the argmax of the probabilities is the prediction, by class and, for networks, by kind of
    target.
    """
    multilabel = (
        type(final).__name__ == "MLPClassifier" and final.out_activation_ == "logistic" and final.n_outputs_ > 1
    )
    one_vs_rest = getattr(final, "solver", None) == "liblinear" and len(final.classes_) > 2
    return is_shipped(final) and type(final).__name__ in ONE_PASS and not multilabel and not one_vs_rest


def most_probable(classes: Any, probabilities: Any) -> Prediction:
    """Label and confidence from one pass."""
    best = probabilities.argmax(axis=1)
    probabilities = probabilities.astype(np.float64, copy=False)
    return Prediction(classes.take(best), probabilities[np.arange(len(best)), best], {PROBABILITIES: probabilities})


def asked_twice(estimator: Any, rows: FloatArray) -> Prediction:
    """The label from `predict`, its confidence from `predict_proba`; none where the two do not line up."""
    values = values_of(estimator.predict(rows))
    probabilities = estimator.predict_proba(rows)
    if isinstance(probabilities, list) or values.ndim > 1:
        return Prediction(values)
    probabilities = np.asarray(probabilities, dtype=np.float64)
    others = {PROBABILITIES: probabilities}
    classes = getattr(estimator, "classes_", None)
    if classes is None or not np.isin(values, classes).all():
        return Prediction(values, probabilities.max(axis=1), others)
    chosen = np.searchsorted(classes, values)
    return Prediction(values, probabilities[np.arange(len(values)), chosen], others)


def values_of(predicted: Any) -> Any:
    """An array of (rows,) or (rows, outputs); a single output's column is no list."""
    values = np.asarray(predicted.toarray() if hasattr(predicted, "toarray") else predicted)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
