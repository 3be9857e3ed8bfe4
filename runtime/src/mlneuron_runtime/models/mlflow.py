"""MLflow model folders. The flavors that have a loader here are loaded by it, without MLflow; any other by its
python_function (`models.pyfunc`). The signature in the MLmodel says what a row holds, and its recorded versions what
the model was trained with.
"""

import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlneuron_runtime.models import mlmodel
from mlneuron_runtime.models.artifact import describe
from mlneuron_runtime.models.base import Artifact, Loaded, Model, Warned
from mlneuron_runtime.models.libraries import required, skew
from mlneuron_runtime.models.mlmodel import MLModel, broken
from mlneuron_runtime.signature import Declared, settled

Told = Mapping[str, Any]
"""What the MLmodel says of one flavor."""


def load(given: Artifact) -> Loaded:
    """By the first flavor that is known here; Fatal for what is no MLflow model, or contradicts what is declared."""
    model = mlmodel.read(given.path)
    for name, loader in FLAVORS.items():
        told = model.flavors.get(name)
        if told is not None:
            import_code(model, told)
            return agreed(loader(model, told, given), given.declared)
    if not model.pyfunc:
        raise broken(f"it has the flavors {', '.join(model.flavors) or 'none'}, of which none can be served")
    from mlneuron_runtime.models import pyfunc

    return agreed(pyfunc.load(model, given), given.declared)


def import_code(model: MLModel, told: Told) -> None:
    """Let the model's own modules be found, which were logged with it as code_paths."""
    if told.get("code"):
        sys.path.insert(0, str(model.file(told["code"])))


def agreed(loaded: Loaded, declared: Declared) -> Loaded:
    """With what the manifest declares, which was the signature already where the MLmodel has none."""
    model: Any = loaded.model
    model.signature = settled(model.signature, declared)
    return loaded


def inputs_of(model: MLModel, given: Artifact) -> tuple[Declared, str]:
    """The MLmodel's inputs, else the manifest's, and what errors call them."""
    return (model.declared, mlmodel.FIELD) if model.declared else (given.declared, "spec.model.inputs")


def _sklearn(model: MLModel, told: Told, given: Artifact) -> Loaded:
    from mlneuron_runtime.models import sklearn

    path = model.file(told.get("pickled_model", "model.pkl"))
    estimator, warned = sklearn.read(path, given)
    library = required("sklearn", "sklearn", given.image)
    warned = warned or skew("scikit-learn", told.get("sklearn_version"), library.__version__)
    pickled = () if sklearn.is_skops(path) else python_skew(model)
    return Loaded(sklearn.served(estimator, *inputs_of(model, given)), (*warned, *pickled), "sklearn")


def _xgboost(model: MLModel, told: Told, given: Artifact) -> Loaded:
    from mlneuron_runtime.models import xgboost

    library = required("xgboost", "xgboost", given.image)
    name = str(told.get("model_class", "xgboost.core.Booster")).rpartition(".")[2]
    made = getattr(library, name)()
    xgboost.read_model(made, model.file(told.get("data", "model.ubj")))
    inputs, by = inputs_of(model, given)
    served: Model = (
        xgboost.BoosterModel(made, lambda rows: library.DMatrix(rows), inputs, by)
        if isinstance(made, library.Booster)
        else xgboost.wrapped(made, library, inputs, by)
    )
    return Loaded(served, skew("xgboost", told.get("xgb_version"), library.__version__), "xgboost")


def _onnx(model: MLModel, told: Told, given: Artifact) -> Loaded:
    from mlneuron_runtime.models import onnx

    path = model.file(told.get("data", "model.onnx"))
    session = onnx.session_of(path, replace(given, path=path))
    return Loaded(onnx.OnnxModel(session, *inputs_of(model, given)), (), "onnx", onnx.ENGINE)


def _pytorch(model: MLModel, told: Told, given: Artifact) -> Loaded:
    """TorchScript, an exported program, or a pickled module, by what the file holds."""
    from mlneuron_runtime.models import torch

    library = required("torch", "torch", given.image)
    device = torch.prepared(library, given.threads)
    path = torch_file(model, told)
    loader = torch.LOADERS.get(describe(path), torch.load_pickled)
    served = loader(library, path, device, *inputs_of(model, given))
    pickled = python_skew(model) if loader is torch.load_pickled else ()
    return Loaded(served, (*skew("torch", told.get("pytorch_version"), library.__version__), *pickled), "torch")


def torch_file(model: MLModel, told: Told) -> Path:
    """In the folder `data`, unless that is the file."""
    data = model.file(told.get("model_data", "data"))
    if data.is_file():
        return data
    found = next((data / name for name in ("model.pt2", "model.pth", "model.pt") if (data / name).is_file()), None)
    if found is None:
        raise broken(f"the folder {data.name} holds no model.pt2 or model.pth")
    return found


def python_skew(model: MLModel) -> tuple[Warned, ...]:
    """Pickles hold Python's own structures and bytecode, which change from one minor version to the next."""
    trained = str(model.pyfunc.get("python_version") or "")
    if not trained or trained.split(".")[:2] == platform.python_version().split(".")[:2]:
        return ()
    return skew("Python", trained, platform.python_version())


FLAVORS: Mapping[str, Callable[[MLModel, Told, Artifact], Loaded]] = {
    "sklearn": _sklearn,
    "xgboost": _xgboost,
    "pytorch": _pytorch,
    "onnx": _onnx,
}
