"""xgboost boosters from their own formats (JSON, UBJ), and their scikit-learn wrappers from pickles.

The booster's objective says what its numbers mean (`KINDS`). A booster that stopped early answers from its
best iteration, as the wrapper that trained it does. `inplace_predict` reads the rows where they are; linear
boosters lack it and go through a DMatrix. Trees take missing values. Where columns are categorical and the model
keeps the categories, a row holds these; the trees split by their places.
"""

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlneuron_runtime.failure import Fatal, Reason, first_line
from mlneuron_runtime.models import artifact
from mlneuron_runtime.models.base import PROBABILITIES, Artifact, Loaded, Prediction
from mlneuron_runtime.models.categories import categories_of, coded, signature_of
from mlneuron_runtime.models.libraries import required, skew
from mlneuron_runtime.models.names import snake
from mlneuron_runtime.models.pickles import unpickle
from mlneuron_runtime.models.shares import largest, softmax
from mlneuron_runtime.models.sklearn import SklearnModel, check_fitted
from mlneuron_runtime.signature import Declared, settled
from mlneuron_runtime.signature.declared import FIELD
from mlneuron_runtime.tensors import FloatArray, Inputs

VERSION_BYTES = 120
VERSION = re.compile(
    rb"version\"\s*:\s*\[(?P<json>[\d,\s]+)\]\s*\}\s*$|version\[#L.{7}\x03(?P<ubj>(?:i.){3})\}$", re.DOTALL
)


class BoosterModel:
    """A native booster behind the Model protocol."""

    def __init__(
        self, booster: Any, dmatrix: Callable[[FloatArray], Any], declared: Declared = (), by: str = FIELD
    ) -> None:  # fmt: skip
        self.booster = booster
        learner = json.loads(booster.save_config())["learner"]
        self.objective: str = learner["objective"]["name"]
        self._linear = learner["learner_train_param"]["booster"] == "gblinear"
        self._dmatrix = dmatrix
        self._iterations = best_iterations(booster)
        self._categories = categories_of(booster)
        self.signature = settled(signature_of(booster, self._categories, nullable=not self._linear), declared, by)
        self.steady = True
        self._interpret = INTERPRETERS.get(self.objective, value)
        self.type = "xgboost_classifier" if self.objective in INTERPRETERS else "xgboost_regressor"

    @property
    def details(self) -> Mapping[str, object]:
        return {"objective": self.objective}

    def predict(self, inputs: Inputs) -> Prediction:
        rows = inputs[0] if not self._categories else coded(inputs, self._categories)
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


def load(given: Artifact) -> Loaded:
    """A booster, or a wrapper when the file is a pickle; Fatal says what the file is instead."""
    xgboost = required("xgboost", "xgboost", given.image)
    artifact.check_file(given.path)
    kind = artifact.describe(given.path)
    if kind == artifact.PICKLE:
        return unpickled(given, xgboost)
    booster = xgboost.Booster()
    read_model(booster, given.path)
    model = BoosterModel(booster, lambda rows: xgboost.DMatrix(rows), given.declared)
    return Loaded(model, skew("xgboost", saved_by(given.path), xgboost.__version__))


def read_model(model: Any, path: Path) -> None:
    """Into a new booster or wrapper, from its native format; Fatal says what the file is instead."""
    kind = artifact.describe(path)
    try:
        read_into(model, path, ".json" if kind == artifact.JSON else ".ubj")
    except Exception as error:  # xgboost raises its own error, but a file that is no model at all may raise others
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: xgboost cannot read the artifact ({first_line(error)}); it looks like {kind}: "
            "save it with save_model('model.ubj'), or correct spec.model.framework",
        ) from error


def saved_by(path: Path) -> str | None:
    """The version of xgboost that saved the model, which either format ends with: `"version":[3,2,0]}`; None where it
    is not told.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - VERSION_BYTES))
        tail = file.read()
    match = VERSION.search(tail)
    if match is None:
        return None
    parts = (
        re.findall(rb"\d+", match["json"]) if match["json"] else [b"%d" % part for part in ubj_numbers(match["ubj"])]
    )
    return b".".join(parts).decode()


def ubj_numbers(tail: bytes) -> list[int]:
    """Small integers, each behind the letter of its size."""
    return [tail[place + 1] for place in range(0, len(tail), 2)]


def read_into(booster: Any, path: Path, extension: str) -> None:
    """Load through a link with the extension that the content has: xgboost goes by the name alone, and its other way
    in, from memory, ends the process on an empty or truncated model.
    """
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, f"model{extension}")
        link.symlink_to(path.absolute())
        booster.load_model(link)


def unpickled(given: Artifact, xgboost: Any) -> Loaded:
    """What a pickle holds: a booster, a wrapper, or something else that another framework serves."""
    held, warned = unpickle(given.path, given.image)
    if isinstance(held, xgboost.Booster):
        return Loaded(BoosterModel(held, lambda rows: xgboost.DMatrix(rows), given.declared), warned)
    if not isinstance(held, xgboost.XGBModel):
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.framework: the artifact holds a {type(held).__module__}.{type(held).__name__}, "
            "not an "
            "xgboost model; set framework: sklearn",
        )
    return Loaded(wrapped(held, xgboost, given.declared), warned)


def wrapped(wrapper: Any, xgboost: Any, declared: Declared, by: str = FIELD) -> BoosterModel | SklearnModel:
    """A fitted wrapper, which answers as itself; with categorical columns by its booster, which says the same: a
    wrapper's classes are 0, 1, 2, ...
    """
    check_fitted(wrapper)
    if categories_of(wrapper.get_booster()):
        return BoosterModel(wrapper.get_booster(), lambda rows: xgboost.DMatrix(rows), declared, by)
    model = SklearnModel(wrapper, declared, by)
    model.type = f"xgboost_{snake(type(wrapper).__name__.removeprefix('XGB'))}"
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
    both = np.empty((len(probabilities), 2))
    both[:, 1] = probabilities
    both[:, 0] = 1 - probabilities
    return Prediction(values, largest(both), {PROBABILITIES: both})


def binary_margin(margins: Any) -> Prediction:
    """Log odds of class 1, of `binary:logitraw`."""
    return binary(1 / (1 + np.exp(-margins.astype(np.float64))))


def hinge(values: Any) -> Prediction:
    """0 or 1, with nothing to tell how sure."""
    return Prediction(values.astype(np.int64))


def multi(probabilities: Any) -> Prediction:
    """(rows, classes) probabilities."""
    probabilities = probabilities.astype(np.float64)
    return Prediction(probabilities.argmax(axis=1), largest(probabilities), {PROBABILITIES: probabilities})


def multi_margin(margins: Any) -> Prediction:
    """(rows, classes) margins of `multi:softmax`, whose plain output has lost the probabilities."""
    return multi(softmax(margins.astype(np.float64)))


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
