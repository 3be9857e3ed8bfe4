"""torch models from TorchScript (`.pt`) and torch.export (`.pt2`) files, on CUDA where there is a device.

A file says little of what its numbers mean, so it may carry a note: an extra file `mlneuron.json` given to
`torch.jit.save(..., _extra_files=...)` or `torch.export.save(..., extra_files=...)`:

    {"features": 4, "output": "value" | "logits" | "probabilities", "classes": ["setosa", …]}

`output` absent or "value": the output is the prediction, a number where the model gives one a row, else a
list, with no confidence, since nothing tells logits from a vector. "logits" (softmax; sigmoid for one column)
and "probabilities" make it a classifier: the prediction is the class (its label where `classes` names them,
else its index) and the confidence its probability. `features` absent: an exported program's input shape says
it, or for TorchScript the first weight matrix, if a warm-up inference of that width succeeds; else any length
is taken.
"""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import structlog

from mlneuron_runtime.failure import Fatal, Reason, first_line
from mlneuron_runtime.models import artifact
from mlneuron_runtime.models.base import PROBABILITIES, Prediction
from mlneuron_runtime.models.sklearn import required
from mlneuron_runtime.signature.matrix import FloatArray, Matrix
from mlneuron_runtime.tensors import Inputs

log = structlog.get_logger()

NOTE = "mlneuron.json"


class Note(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the artifact says of itself."""

    features: int | None = None
    output: Literal["value", "logits", "probabilities"] = "value"
    classes: list[str | int] | None = None


class TorchModel:
    """A torch callable behind the Model protocol. `fixed_batch` is the batch size a program was exported
    with.
    """

    def __init__(
        self, torch: Any, module: Callable[[Any], Any], *, kind: str, note: Note, features: int | None,
        device: Any, dtype: Any, fixed_batch: int | None = None,
    ) -> None:  # fmt: skip
        self.signature = Matrix(features)
        self.steady = True
        self.type = kind
        self._torch, self._module, self._note = torch, module, note
        self._device, self._dtype, self._fixed_batch = device, dtype, fixed_batch
        self._labels = None if note.classes is None else np.array(note.classes, dtype=object)

    @property
    def details(self) -> Mapping[str, object]:
        told: dict[str, object] = {"device": str(self._device), "output": self._note.output}
        return told if self._note.classes is None else {**told, "classes": self._note.classes}

    def predict(self, inputs: Inputs) -> Prediction:
        (rows,) = inputs
        if self._fixed_batch is None:
            return self._interpret(self._run(rows))
        size = self._fixed_batch
        return self._interpret(np.concatenate([self._run_fixed(part, size) for part in chunks(rows, size)]))

    def _run(self, rows: FloatArray) -> Any:
        torch = self._torch
        with torch.inference_mode():
            output = self._module(torch.from_numpy(rows).to(device=self._device, dtype=self._dtype))
        if not isinstance(output, torch.Tensor):
            raise TypeError(f"the model's forward returned a {type(output).__name__}; it must return one tensor")
        return output.cpu().numpy() if output.dtype != torch.bfloat16 else output.float().cpu().numpy()

    def _run_fixed(self, part: FloatArray, size: int) -> Any:
        """Fill the last, short part up with zeros, since the program takes no other size."""
        padding = size - len(part)
        return self._run(np.pad(part, ((0, padding), (0, 0))))[: len(part)]

    def _interpret(self, output: Any) -> Prediction:
        if output.ndim == 2 and output.shape[1] == 1:
            output = output[:, 0]
        if self._note.output == "value":
            return Prediction(output)
        probabilities = output.astype(np.float64)
        if self._note.output == "logits":
            probabilities = sigmoid(probabilities) if output.ndim == 1 else softmax(probabilities)
        if probabilities.ndim == 1:
            probabilities = np.stack([1 - probabilities, probabilities], axis=1)
        best = probabilities.argmax(axis=1)
        values = best if self._labels is None else self._labels.take(best)
        return Prediction(values, probabilities.max(axis=1), {PROBABILITIES: probabilities})


def load(path: Path, image: str, threads: int) -> TorchModel:
    """Load either format, told apart by what the archive holds; Fatal says what the file is instead."""
    torch = required("torch", "torch", image)
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    log.info("torch device chosen", device=str(device), threads=threads)
    kind = artifact.describe(path)
    if kind not in LOADERS:
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: the artifact is {kind}, not a torch model that can be served; save it with "
            "torch.export.save(program, 'model.pt2') or torch.jit.script(module).save('model.pt'), or "
            "correct "
            "spec.model.framework",
        )
    try:
        return LOADERS[kind](torch, path, device)
    except Fatal:
        raise
    except Exception as error:  # torch raises RuntimeError, AssertionError and pickle's errors alike
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: torch {torch.__version__} cannot load the artifact, {kind} "
            f"({first_line(error)}); "
            "save it again with this version of torch or an older one",
        ) from error


def load_script(torch: Any, path: Path, device: Any) -> TorchModel:
    """TorchScript, in evaluation mode."""
    extra: dict[str, Any] = {NOTE: ""}
    module = torch.jit.load(path, map_location=device, _extra_files=extra).eval()
    note = read_note(extra[NOTE])
    weights = [parameter for parameter in module.parameters() if parameter.is_floating_point()]
    dtype = weights[0].dtype if weights else torch.float32

    def model(features: int | None) -> TorchModel:
        return TorchModel(torch, module, kind="torch_script", note=note, features=features, device=device, dtype=dtype)

    if note.features is not None:
        return model(note.features)
    guess = next((int(weight.shape[1]) for weight in weights if weight.ndim == 2), None)
    return model(guess if guess is not None and accepts(model(guess), guess) else None)


def load_export(torch: Any, path: Path, device: Any) -> TorchModel:
    """An exported program: its one input's shape is the signature; a fixed first dimension is its batch
    size.
    """
    extra: dict[str, Any] = {NOTE: ""}
    with path.open("rb") as file:
        program = torch.export.load(file, extra_files=extra)
    if device.type != "cpu":
        program = importlib.import_module("torch.export.passes").move_to_device_pass(program, device)
    note = read_note(extra[NOTE])
    shape, dtype = input_of(program)
    return TorchModel(
        torch, program.module(), kind="torch_export", note=note, features=note.features or fixed(shape[-1]),
        device=device, dtype=dtype, fixed_batch=fixed(shape[0]),
    )  # fmt: skip


LOADERS: Mapping[str, Callable[[Any, Path, Any], TorchModel]] = {
    artifact.SCRIPT: load_script,
    artifact.EXPORT: load_export,
}


def input_of(program: Any) -> tuple[Any, Any]:
    """Shape and dtype of the program's only input, or Fatal: rows of features are one matrix."""
    inputs = set(program.graph_signature.user_inputs)
    values = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in inputs]
    if len(values) != 1 or values[0].ndim != 2:
        shapes = ", ".join(str(tuple(value.shape)) for value in values)
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: the program takes inputs of shape {shapes}; export it with one input, (batch, features)",
        )
    return values[0].shape, values[0].dtype


def fixed(dimension: Any) -> int | None:
    """A dimension the program was exported with, or None for a dynamic one."""
    return dimension if isinstance(dimension, int) else None


def accepts(model: TorchModel, features: int) -> bool:
    """Whether an inference of this width succeeds."""
    try:
        model.predict((np.zeros((1, features)),))
    except Exception:  # a wrong guess may fail in any way the model likes
        return False
    return True


def read_note(raw: bytes | str) -> Note:
    """Parse the artifact's note; an absent one is all defaults."""
    if not raw:
        return Note()
    try:
        return msgspec.json.decode(raw, type=Note)
    except msgspec.DecodeError as error:
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: the artifact's {NOTE} is not valid ({error}); correct it",
        ) from error


def chunks(rows: FloatArray, size: int) -> list[FloatArray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def sigmoid(logits: Any) -> Any:
    return 1 / (1 + np.exp(-logits))


def softmax(logits: Any) -> Any:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
