"""MLflow models of flavors that have no loader here, by MLflow's own `python_function`: it takes a pandas frame of the
columns in its signature, or an array for each tensor, and answers rows of whatever it likes, without confidence.
"""

import importlib
import re
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from mlneuron_runtime.failure import Fatal
from mlneuron_runtime.models.base import Artifact, Loaded, Prediction, Warned
from mlneuron_runtime.models.libraries import VERSION_SKEW, log, missing_module, required
from mlneuron_runtime.models.mlmodel import MLModel
from mlneuron_runtime.models.predictors import values_of
from mlneuron_runtime.signature import Column, Declared, Matrix, Signature, Table, Tensors
from mlneuron_runtime.signature.declared import is_column, is_matrix, of_declared
from mlneuron_runtime.signature.values import WHOLES, texts
from mlneuron_runtime.tensors import DTYPES, Inputs

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;#]+)")
"""A requirement of one version."""


class PyfuncModel:
    """A python_function behind the Model protocol."""

    def __init__(self, function: Any, model: MLModel, declared: Declared) -> None:
        self._function = function
        self.signature = signature_of(declared, model.optional)
        self.steady = False  # it may be anybody's code
        self.type = f"mlflow_{flavor_of(model)}"
        self.details: Mapping[str, object] = {"loader": str(model.pyfunc.get("loader_module"))}
        self._arrange = arrangement(self.signature, declared)

    def predict(self, inputs: Inputs) -> Prediction:
        return Prediction(answers(self._function.predict(self._arrange(inputs))))


def load(model: MLModel, given: Artifact) -> Loaded:
    """By MLflow, which the model may ask for libraries that the image lacks."""
    library = required("mlflow.pyfunc", "mlflow", given.image)
    try:
        function = library.load_model(str(model.folder))
    except Fatal:
        raise
    except ModuleNotFoundError as error:
        raise missing_module(error, given.image) from error
    served = PyfuncModel(function, model, model.declared or given.declared)
    return Loaded(served, requirement_skew(model.folder / "requirements.txt"), flavor_of(model), "mlflow")


def flavor_of(model: MLModel) -> str:
    """What beside python_function the model is, else that."""
    return next((name for name in model.flavors if name != "python_function"), "pyfunc")


def signature_of(declared: Declared, optional: frozenset[str]) -> Signature:
    """Named columns keep their own datatypes, since MLflow refuses floats for its longs."""
    if declared and all(map(is_column, declared)) and all(spec.name for spec in declared):
        return Table(tuple(column(spec.name, spec.datatype, spec.name in optional) for spec in declared))
    return of_declared(declared) if declared else Matrix(None)


def column(name: str, datatype: str, optional: bool) -> Column:
    """A missing whole number is NaN to pandas too, and so a float."""
    return Column(name, "FP64" if optional and datatype in WHOLES else datatype, optional and datatype != "BOOL")


def arrangement(signature: Signature, declared: Declared) -> Callable[[Inputs], Any]:
    """What the function takes of the signature's inputs: a frame of columns, an array, or arrays by their names."""
    if isinstance(signature, Table):
        frame = importlib.import_module("pandas").DataFrame
        names = list(signature.names or ())
        return lambda inputs: frame(dict(zip(names, inputs, strict=True)))
    if isinstance(signature, Matrix) and not is_matrix(declared):
        frame = importlib.import_module("pandas").DataFrame
        return lambda inputs: frame(inputs[0])
    dtypes = [DTYPES[spec.datatype] for spec in signature.inputs]
    if len(dtypes) == 1 and not (isinstance(signature, Tensors) and signature.inputs[0].name):
        return lambda inputs: inputs[0].astype(dtypes[0], copy=False)
    named = [spec.name for spec in signature.inputs]
    return lambda inputs: {
        name: array.astype(dtype, copy=False) for name, array, dtype in zip(named, inputs, dtypes, strict=True)
    }


def answers(given: Any) -> Any:
    """(rows,) or (rows, outputs) of an array, a frame, a series or a list, whose entries may be anything."""
    if isinstance(given, list) and given and isinstance(given[0], dict | list | str):
        return texts(given)
    return values_of(given.to_numpy() if hasattr(given, "to_numpy") else np.asarray(given))


def requirement_skew(path: Path) -> tuple[Warned, ...]:
    """One warning, logged too, of all the pinned libraries that are here in another version."""
    if not path.is_file():
        return ()
    pins = [match.groups() for line in path.read_text().splitlines() if (match := PIN.match(line.strip()))]
    here = {name: installed(name) for name, _ in pins}
    other = {name: (pin, here[name]) for name, pin in pins if here[name] not in (None, pin)}
    if not other:
        return ()
    log.warning("the model was trained with other versions of its libraries: answers may differ", libraries=other)
    trained = ", ".join(f"{name} {pin}" for name, (pin, _) in other.items())
    serving = ", ".join(f"{name} {present}" for name, (_, present) in other.items())
    return (Warned(VERSION_SKEW, f"trained with {trained}, served with {serving}: answers may differ"),)


def installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
