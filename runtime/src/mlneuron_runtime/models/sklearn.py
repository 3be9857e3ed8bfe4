"""scikit-learn estimators and pipelines, and anything pickled that speaks their interface (xgboost's wrappers), from
joblib, pickle and skops files.
"""

import importlib
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.models import artifact, skops
from mlneuron_runtime.models.base import Artifact, Loaded, Prediction, Warned
from mlneuron_runtime.models.layout import layout
from mlneuron_runtime.models.names import snake
from mlneuron_runtime.models.pickles import unpickle
from mlneuron_runtime.models.predictors import final_step, is_shipped, is_steady, predictor
from mlneuron_runtime.signature import Declared
from mlneuron_runtime.signature.declared import FIELD
from mlneuron_runtime.tensors import Inputs


class SklearnModel:
    """An estimator behind the Model protocol."""

    def __init__(self, estimator: Any, declared: Declared = (), by: str = FIELD) -> None:
        self.estimator = estimator
        self.signature, self._arrange = layout(estimator, declared, by)
        self.type = f"sklearn_{snake(type(final_step(estimator)).__name__)}"
        self.steady = is_steady(estimator)
        self._predict = predictor(estimator)

    @property
    def details(self) -> Mapping[str, object]:
        classes = getattr(self.estimator, "classes_", None)
        return {"classes": classes.tolist()} if isinstance(classes, np.ndarray) else {}

    def predict(self, inputs: Inputs) -> Prediction:
        return self._predict(self._arrange(inputs))


def load(given: Artifact) -> Loaded:
    """Read an estimator; Fatal says what is missing, or what the file is instead."""
    artifact.check_file(given.path)
    estimator, warned = read(given.path, given)
    return Loaded(served(estimator, given.declared), warned)


def read(path: Path, given: Artifact) -> tuple[Any, tuple[Warned, ...]]:
    """What the file, of the artifact, holds; its content decides how it is read, not its name."""
    return skops.read(path, given.image, given.pinned) if is_skops(path) else unpickle(path, given.image)


def is_skops(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "schema.json" in archive.namelist()


def served(estimator: Any, declared: Declared, by: str = FIELD) -> SklearnModel:
    """An estimator that answers, behind the Model protocol; Fatal for one that cannot."""
    if not any(callable(getattr(estimator, name, None)) for name in ("predict", "transform")):
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            "spec.model.uri: the artifact holds a "
            f"{type(estimator).__module__}.{type(estimator).__name__}, which has "
            "no predict method; save a fitted estimator or Pipeline",
        )
    check_fitted(estimator)
    # a model fitted on a data frame is sent plain rows here, in the order of its columns
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    return SklearnModel(estimator, declared, by)


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
