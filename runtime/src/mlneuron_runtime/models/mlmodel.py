"""The file `MLmodel` that makes a folder an MLflow model: its flavors, and the signature it was logged with."""

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlneuron_runtime.failure import Fatal, Reason, first_line
from mlneuron_runtime.models.artifact import MLMODEL, describe
from mlneuron_runtime.signature import Declared
from mlneuron_runtime.tensors import DTYPES, TensorSpec

PYFUNC = "python_function"

FIELD = "the MLmodel's signature"
"""What errors call it."""

DATATYPES: Mapping[str, str] = {
    "double": "FP64", "float": "FP32", "long": "INT64", "integer": "INT32", "boolean": "BOOL", "string": "BYTES",
}  # fmt: skip
"""Of a column's type. MLflow knows dates, binaries, arrays and objects too, which no flavor served here takes."""


@dataclass(frozen=True, slots=True)
class MLModel:
    """What the file says. `optional` are the columns that may be missing."""

    folder: Path
    flavors: Mapping[str, Mapping[str, Any]]
    declared: Declared
    optional: frozenset[str]

    @property
    def pyfunc(self) -> Mapping[str, Any]:
        return self.flavors.get(PYFUNC) or {}

    def file(self, name: object) -> Path:
        """A file of the folder, as a flavor names it; Fatal where it is outside or absent."""
        path = (self.folder / str(name)).resolve()
        if not path.is_relative_to(self.folder.resolve()) or not path.exists():
            raise broken(f"it names {name}, which is not in the folder")
        return path


def read(folder: Path) -> MLModel:
    """Parse the file of a folder; Fatal for what is no MLflow model."""
    yaml = importlib.import_module("yaml")
    path = folder / MLMODEL
    if not path.is_file():
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: the artifact is {what_else(folder)}, "
            "not an MLflow model; name the folder that mlflow's save_model or log_model wrote, or correct "
            "spec.model.framework",
        )
    try:
        content = yaml.safe_load(path.read_text())
        flavors = {str(name): dict(told or {}) for name, told in content["flavors"].items()}
        columns = json.loads((content.get("signature") or {}).get("inputs") or "[]")
        declared = tuple(map(spec_of, columns))
        optional = frozenset(str(column.get("name", "")) for column in columns if column.get("required") is False)
    except Fatal:
        raise
    except Exception as error:  # the file may hold anything
        raise broken(first_line(error)) from error
    return MLModel(folder, flavors, declared, optional)


def what_else(path: Path) -> str:
    return f"a folder without {MLMODEL}" if path.is_dir() else describe(path)


def spec_of(told: Mapping[str, Any]) -> TensorSpec:
    """A column, or a tensor whose first dimension is the rows. The name is empty where there is none."""
    name = str(told.get("name", ""))
    if told["type"] != "tensor":
        if told["type"] not in DATATYPES:
            raise broken(f"the input '{name}' is of type {told['type']}; log it as {', '.join(DATATYPES)}")
        return TensorSpec(name, DATATYPES[told["type"]])
    dtype, shape = told["tensor-spec"]["dtype"], told["tensor-spec"]["shape"]
    datatype = (
        "BYTES"
        if dtype in {"str", "object"}
        else next((known for known, kind in DTYPES.items() if kind.name == dtype), None)
    )
    if datatype is None or not shape:
        raise broken(f"the input '{name}' is of {dtype} and shape {shape}")
    return TensorSpec(name, datatype, tuple(None if size < 0 else int(size) for size in shape[1:]))


def broken(cause: str) -> Fatal:
    return Fatal(
        Reason.MODEL_LOAD_FAILED, f"spec.model.uri: the artifact's {MLMODEL} cannot be read ({cause}); log it again"
    )
