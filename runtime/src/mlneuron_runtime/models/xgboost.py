"""xgboost boosters from their own formats (JSON, UBJ), and their scikit-learn wrappers from pickles.

The booster's objective says what its numbers mean (`KINDS`). A booster that stopped early answers from its
best iteration, as the wrapper that trained it does. `inplace_predict` reads the rows where they are; linear
boosters lack it and go through a DMatrix.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlneuron_runtime.failure import Fatal, Reason, first_line
from mlneuron_runtime.models import artifact
from mlneuron_runtime.models.base import PROBABILITIES, Prediction
from mlneuron_runtime.models.names import snake
from mlneuron_runtime.models.sklearn import SklearnModel, check_fitted, required, unpickle
from mlneuron_runtime.signature.matrix import FloatArray, Matrix
from mlneuron_runtime.tensors import Inputs


class BoosterModel:
    """A native booster behind the Model protocol."""

    steady = True

    def __init__(self, booster: Any, dmatrix: Callable[[FloatArray], Any]) -> None:
        self.booster = booster
        learner = json.loads(booster.save_config())["learner"]
        self.objective: str = learner["objective"]["name"]
        self._linear = learner["learner_train_param"]["booster"] == "gblinear"
        self._dmatrix = dmatrix
        self._iterations = best_iterations(booster)
        names = booster.feature_names
        self.signature = Matrix(int(booster.num_features()), None if names is None else tuple(names))
        self._interpret = INTERPRETERS.get(self.objective, value)
        self.type = "xgboost_classifier" if self.objective in INTERPRETERS else "xgboost_regressor"

    @property
    def details(self) -> Mapping[str, object]:
        return {"objective": self.objective}

    def predict(self, inputs: Inputs) -> Prediction:
        (rows,) = inputs
        margin = self.objective == "multi:softmax"
        if self._linear:
            data = self._dmatrix(rows)
            return self._interpret(self.booster.predict(data, output_margin=margin, validate_features=False))
        kind = "margin" if margin else "value"
        return self._interpret(
            self.booster.inplace_predict(
                rows, iteration_range=self._iterations, predict_type=kind, validate_features=False
            )
        )


def load(path: Path, image: str) -> BoosterModel | SklearnModel:
    """A booster, or a wrapper when the file is a pickle; Fatal says what the file is instead."""
    xgboost = required("xgboost", "xgboost", image)
    kind = artifact.describe(path)
    if kind == artifact.PICKLE:
        return unpickled(path, xgboost, image)
    booster = xgboost.Booster()
    try:
        read_into(booster, path, ".json" if kind == artifact.JSON else ".ubj")
    except Exception as error:  # xgboost raises its own error, but a file that is no model at all may raise others
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: xgboost cannot read the artifact ({first_line(error)}); it looks like {kind}: "
            "save it with save_model('model.ubj'), or correct spec.model.framework",
        ) from error
    return BoosterModel(booster, lambda rows: xgboost.DMatrix(rows))


def read_into(booster: Any, path: Path, extension: str) -> None:
    """Load through a link with the extension that the content has: xgboost goes by the name alone, and its other way
    in, from memory, ends the process on an empty or truncated model.
    """
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, f"model{extension}")
        link.symlink_to(path.absolute())
        booster.load_model(link)


def unpickled(path: Path, xgboost: Any, image: str) -> BoosterModel | SklearnModel:
    """What a pickle holds: a booster, a wrapper, or something else that another framework serves."""
    held = unpickle(path, image)
    if isinstance(held, xgboost.Booster):
        return BoosterModel(held, lambda rows: xgboost.DMatrix(rows))
    if not isinstance(held, xgboost.XGBModel):
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.framework: the artifact holds a {type(held).__module__}.{type(held).__name__}, "
            "not an "
            "xgboost model; set framework: sklearn",
        )
    check_fitted(held)
    model = SklearnModel(held)
    model.type = f"xgboost_{snake(type(held).__name__.removeprefix('XGB'))}"
    return model


def best_iterations(booster: Any) -> tuple[int, int]:
    """Up to the best iteration of an early stop; (0, 0) is all of them."""
    best = booster.attr("best_iteration")
    return (0, 0) if best is None else (0, int(best) + 1)


def binary(probabilities: Any) -> Prediction:
    """The probability of class 1; above a half it is 1. Several targets are several such outputs."""
    values = (probabilities > 0.5).astype(np.int64)
    if probabilities.ndim > 1:
        return Prediction(values)
    both = np.stack([1 - probabilities, probabilities], axis=1).astype(np.float64)
    return Prediction(values, both.max(axis=1), {PROBABILITIES: both})


def binary_margin(margins: Any) -> Prediction:
    """Log odds of class 1, of `binary:logitraw`."""
    return binary(1 / (1 + np.exp(-margins.astype(np.float64))))


def hinge(values: Any) -> Prediction:
    """0 or 1, with nothing to tell how sure."""
    return Prediction(values.astype(np.int64))


def multi(probabilities: Any) -> Prediction:
    """(rows, classes) probabilities."""
    probabilities = probabilities.astype(np.float64)
    return Prediction(probabilities.argmax(axis=1), probabilities.max(axis=1), {PROBABILITIES: probabilities})


def multi_margin(margins: Any) -> Prediction:
    """(rows, classes) margins of `multi:softmax`, whose plain output has lost the probabilities."""
    powers = np.exp(margins.astype(np.float64) - margins.max(axis=1, keepdims=True))
    return multi(powers / powers.sum(axis=1, keepdims=True))


def value(values: Any) -> Prediction:
    """Regression, ranking, counts, survival: the number itself."""
    return Prediction(values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values)


INTERPRETERS: Mapping[str, Callable[[Any], Prediction]] = {
    "binary:logistic": binary,
    "binary:logitraw": binary_margin,
    "binary:hinge": hinge,
    "multi:softprob": multi,
    "multi:softmax": multi_margin,
}
