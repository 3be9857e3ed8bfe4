"""ONNX models, by onnxruntime. The model's own metadata is the signature: one matrix of floats, one column an input, or
tensors of any shape.

A classifier as skl2onnx and onnxmltools write it has two outputs, label and probabilities (a tensor, or a map a row):
they become prediction and confidence. The confidence is the highest probability, since a tensor does not tell which
label it belongs to. Of any other model the first output is the prediction, and the others are told by their names.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlneuron_runtime.failure import Fatal, Reason, first_line
from mlneuron_runtime.models import artifact
from mlneuron_runtime.models.base import PROBABILITIES, Artifact, Loaded, Prediction
from mlneuron_runtime.models.batches import parts
from mlneuron_runtime.models.libraries import required
from mlneuron_runtime.models.predictors import values_of
from mlneuron_runtime.models.shares import largest
from mlneuron_runtime.signature import Column, Declared, Matrix, Signature, Table, Tensors, settled
from mlneuron_runtime.signature.declared import FIELD
from mlneuron_runtime.signature.values import FLOATS
from mlneuron_runtime.tensors import DTYPES, Inputs, TensorSpec, rows_of

DATATYPES: Mapping[str, str] = {
    "tensor(float)": "FP32", "tensor(double)": "FP64", "tensor(float16)": "FP16",
    "tensor(int8)": "INT8", "tensor(int16)": "INT16", "tensor(int32)": "INT32", "tensor(int64)": "INT64",
    "tensor(uint8)": "UINT8", "tensor(uint16)": "UINT16", "tensor(uint32)": "UINT32", "tensor(uint64)": "UINT64",
    "tensor(bool)": "BOOL", "tensor(string)": "BYTES",
}  # fmt: skip
"""What onnxruntime calls the protocol's datatypes."""

LABELS = frozenset({"tensor(int64)", "tensor(string)", "tensor(int32)"})

ENGINE = "onnxruntime"

ERRORS_ONLY = 3
"""Of onnxruntime's own log levels."""


class OnnxModel:
    """An inference session behind the Model protocol."""

    def __init__(self, session: Any, declared: Declared = (), by: str = FIELD) -> None:
        self.session = session
        inputs = session.get_inputs()
        specs = tuple(map(spec_of, inputs))
        self.signature = settled(signature_of(specs), declared, by)
        self.steady = True
        self._feeds = [
            (spec.name, DTYPES[spec.datatype], len(given.shape)) for spec, given in zip(specs, inputs, strict=True)
        ]
        self._fixed = fixed_rows(inputs)
        outputs = session.get_outputs()
        classifies = is_classifier(outputs)
        self._interpret = classified if classifies else named([output.name for output in outputs])
        self.type = "onnx_classifier" if classifies else "onnx_model"

    @property
    def details(self) -> Mapping[str, object]:
        return {
            "producer": self.session.get_modelmeta().producer_name,
            "outputs": [output.name for output in self.session.get_outputs()],
        }

    def predict(self, inputs: Inputs) -> Prediction:
        if self._fixed is None:
            return self._interpret(self._run(inputs), rows_of(inputs))
        runs = [(self._run(part), rows) for part, rows in parts(inputs, self._fixed)]
        outputs = [joined([run[place][:rows] for run, rows in runs]) for place in range(len(runs[0][0]))]
        return self._interpret(outputs, rows_of(inputs))

    def _run(self, inputs: Inputs) -> list[Any]:
        feeds = {
            name: shaped(array.astype(dtype, copy=False), rank)
            for (name, dtype, rank), array in zip(self._feeds, inputs, strict=True)
        }
        outputs: list[Any] = self.session.run(None, feeds)
        return outputs


def load(given: Artifact) -> Loaded:
    """Open the file, or the only .onnx of a folder (which may hold its weights beside it)."""
    path = file_of(given.path)
    return Loaded(OnnxModel(session_of(path, given), given.declared), engine=ENGINE)


def session_of(path: Path, given: Artifact) -> Any:
    """An inference session on CUDA where onnxruntime has it, else on the CPUs; Fatal says what the file is."""
    runtime = required("onnxruntime", "onnx", given.image)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = given.threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # a quota counts idle turns too
    options.log_severity_level = ERRORS_ONLY
    here = set(runtime.get_available_providers())
    providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in here]
    try:
        return runtime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # onnxruntime raises a class of its own for each way a model can be wrong
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: onnxruntime {runtime.__version__} cannot load the artifact ({first_line(error)}); it "
            f"looks like {artifact.describe(path)}: save an ONNX model of an opset that it knows, or correct "
            "spec.model.framework",
        ) from error


def file_of(path: Path) -> Path:
    if not path.is_dir():
        return path
    if (path / artifact.MLMODEL).is_file():
        artifact.check_file(path)
    found = sorted(path.glob("*.onnx"))
    if len(found) != 1:
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: the folder {path.name} holds {len(found)} .onnx files; name one",
        )
    return found[0]


def spec_of(given: Any) -> TensorSpec:
    """An input as the protocol calls it; Fatal for what no request can hold."""
    datatype = DATATYPES.get(given.type)
    if datatype is None or not given.shape:
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: the model's input '{given.name}' is {given.type} of shape {given.shape}; "
            "export it with inputs that are tensors, whose first dimension is the rows",
        )
    return TensorSpec(given.name, datatype, tuple(size if isinstance(size, int) else None for size in given.shape[1:]))


def signature_of(specs: Sequence[TensorSpec]) -> Signature:
    first = specs[0]
    if len(specs) == 1 and len(first.shape) == 1 and first.datatype in FLOATS:
        return Matrix(first.shape[0], input=first.name, datatype=first.datatype)
    if all(spec.shape in {(), (1,)} for spec in specs):
        return Table(tuple(Column(spec.name, spec.datatype) for spec in specs))
    return Tensors(tuple(specs))


def fixed_rows(inputs: Sequence[Any]) -> int | None:
    """The number of rows that the model was exported for; None where any will do."""
    first = inputs[0].shape[0]
    return first if isinstance(first, int) else None


def shaped(array: Any, rank: int) -> Any:
    """A column for an input of (rows, 1)."""
    return array.reshape(-1, 1) if rank == 2 and array.ndim == 1 else array


def joined(runs: Sequence[Any]) -> Any:
    """One output of all parts."""
    return np.concatenate(runs) if isinstance(runs[0], np.ndarray) else [row for run in runs for row in run]


def is_classifier(outputs: Sequence[Any]) -> bool:
    """Whether the outputs are a label and its probabilities."""
    if len(outputs) != 2 or outputs[0].type not in LABELS or len(outputs[0].shape or ()) != 1:
        return False
    second = outputs[1]
    return second.type.startswith("seq(map(") or (
        second.type in {"tensor(float)", "tensor(double)"} and len(second.shape) == 2 and "prob" in second.name.lower()
    )


def classified(outputs: Sequence[Any], _rows: int) -> Prediction:
    """Label, and the probabilities as a matrix or a map a row."""
    labels, given = outputs
    if isinstance(given, list):
        given = [list(row.values()) for row in given]
    probabilities = np.asarray(given, dtype=np.float64)
    return Prediction(labels, largest(probabilities), {PROBABILITIES: probabilities})


def named(names: Sequence[str]) -> Callable[[Sequence[Any], int], Prediction]:
    """The first output is the prediction; of the others, those with an entry a row are told."""

    def interpret(outputs: Sequence[Any], rows: int) -> Prediction:
        others = {
            name: output
            for name, output in zip(names[1:], outputs[1:], strict=True)
            if isinstance(output, np.ndarray) and output.ndim > 0 and len(output) == rows
        }
        return Prediction(values_of(outputs[0]), None, others)

    return interpret
