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
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from mlneuron_runtime.failure import Fatal, Reason, first_line
from mlneuron_runtime.models import artifact
from mlneuron_runtime.models.base import Artifact, Loaded, Prediction
from mlneuron_runtime.models.batches import parts
from mlneuron_runtime.models.libraries import required
from mlneuron_runtime.models.torch_note import NOTE, Note, interpreted, read_note
from mlneuron_runtime.signature import Declared, Matrix, Signature, Table, Tensors, settled
from mlneuron_runtime.signature.declared import FIELD
from mlneuron_runtime.signature.values import FLOATS, TEXT
from mlneuron_runtime.tensors import DTYPES, Inputs, TensorSpec

log = structlog.get_logger()


class TorchModel:
    """A torch callable behind the Model protocol. `dtypes` are what its inputs are given as; `fixed_batch` is the
    batch size a program was exported with.
    """

    def __init__(
        self, torch: Any, module: Callable[..., Any], signature: Signature, *, kind: str, note: Note,
        device: Any, dtypes: Sequence[Any], fixed_batch: int | None = None,
    ) -> None:  # fmt: skip
        self.signature = signature
        self.steady = True
        self.type = kind
        self._torch, self._module, self._note = torch, module, note
        self._device, self._dtypes, self._fixed_batch = device, dtypes, fixed_batch

    @property
    def details(self) -> Mapping[str, object]:
        told: dict[str, object] = {"device": str(self._device), "output": self._note.output}
        return told if self._note.classes is None else {**told, "classes": self._note.classes}

    def predict(self, inputs: Inputs) -> Prediction:
        size = self._fixed_batch
        if size is None:
            return interpreted(self._note, self._run(inputs))
        return interpreted(self._note, np.concatenate([self._run(part)[:rows] for part, rows in parts(inputs, size)]))

    def _run(self, inputs: Inputs) -> Any:
        torch = self._torch
        with torch.inference_mode():
            given = [
                torch.from_numpy(array).to(device=self._device, dtype=dtype)
                for array, dtype in zip(inputs, self._dtypes, strict=True)
            ]
            output = self._module(*given)
        if not isinstance(output, torch.Tensor):
            raise TypeError(f"the model's forward returned a {type(output).__name__}; it must return one tensor")
        return output.cpu().numpy() if output.dtype != torch.bfloat16 else output.float().cpu().numpy()


def load(given: Artifact) -> Loaded:
    """Load either format, told apart by what the archive holds; Fatal says what the file is instead."""
    torch = required("torch", "torch", given.image)
    artifact.check_file(given.path)
    device = prepared(torch, given.threads)
    kind = artifact.describe(given.path)
    if kind not in LOADERS:
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: the artifact is {kind}, not a torch model that can be served; save it with "
            "torch.export.save(program, 'model.pt2') or torch.jit.script(module).save('model.pt'), or "
            "correct "
            "spec.model.framework",
        )
    try:
        return Loaded(LOADERS[kind](torch, given.path, device, given.declared, FIELD))
    except Fatal:
        raise
    except Exception as error:  # torch raises RuntimeError, AssertionError and pickle's errors alike
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: torch {torch.__version__} cannot load the artifact, {kind} "
            f"({first_line(error)}); "
            "save it again with this version of torch or an older one",
        ) from error


def prepared(torch: Any, threads: int) -> Any:
    """The device to compute on, with as many threads as there are CPUs."""
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    log.info("torch device chosen", device=str(device), threads=threads)
    return device


def load_script(torch: Any, path: Path, device: Any, declared: Declared, by: str) -> TorchModel:
    """TorchScript, in evaluation mode."""
    extra: dict[str, Any] = {NOTE: ""}
    module = torch.jit.load(path, map_location=device, _extra_files=extra).eval()
    arguments = [argument.name for argument in module.forward.schema.arguments[1:] if not argument.has_default_value()]
    return of_module(torch, module, read_note(extra[NOTE]), device, declared, by, "torch_script", arguments)


def of_module(
    torch: Any, module: Any, note: Note, device: Any, declared: Declared, by: str, kind: str, arguments: Sequence[str],
) -> TorchModel:  # fmt: skip
    """A module, which tells the names of its arguments only. What it takes is declared, or noted, or its first
    weight matrix tells how many features a row has, if an inference of that width succeeds.
    """
    weights = [parameter for parameter in module.parameters() if parameter.is_floating_point()]
    own = weights[0].dtype if weights else torch.float32

    def model(signature: Signature) -> TorchModel:
        dtypes = [dtype_of(torch, spec.datatype, own) for spec in signature.inputs]
        return TorchModel(torch, module, signature, kind=kind, note=note, device=device, dtypes=dtypes)

    if len(arguments) > 1:
        return model(several(arguments, declared, by))
    if note.features is not None:
        return model(numeric(settled(Matrix(note.features), declared, by), by))
    guess = next((int(weight.shape[1]) for weight in weights if weight.ndim == 2), None)
    found = None if guess is None or not accepts(model(Matrix(guess)), guess) else Matrix(guess)
    return model(numeric(settled(found, declared, by), by))


def several(arguments: Sequence[str], declared: Declared, by: str) -> Signature:
    """The declared inputs of a module that takes more than one, in the order of its arguments."""
    named = {spec.name: spec for spec in declared}
    if sorted(named) == sorted(arguments):
        return numeric(Tensors(tuple(named[name] for name in arguments)), by)
    there = ", ".join(named) or "none"
    raise Fatal(
        Reason.MODEL_SIGNATURE_MISMATCH if declared else Reason.MODEL_LOAD_FAILED,
        f"{by}: {there} declared there, but the model takes {len(arguments)} inputs ({', '.join(arguments)}), whose "
        "shapes the artifact does not tell; declare each with its datatype and shape",
    )


def numeric(signature: Signature, by: str) -> Signature:
    """As it is, if torch has tensors of it; Fatal for text."""
    if isinstance(signature, Table):
        signature = Tensors(signature.inputs)
    texts = [spec.name for spec in signature.inputs if spec.datatype == TEXT]
    if texts:
        raise Fatal(
            Reason.MODEL_SIGNATURE_MISMATCH,
            f"{by}: {', '.join(texts)} is declared as text (BYTES), but a torch model takes numbers; correct it",
        )
    return signature


def dtype_of(torch: Any, datatype: str, own: Any) -> Any:
    """What an input is given as: floats in the precision of the model's weights, others as they are called."""
    return own if datatype in FLOATS else getattr(torch, DTYPES[datatype].name)


def load_export(torch: Any, path: Path, device: Any, declared: Declared, by: str) -> TorchModel:
    """An exported program: its inputs' shapes are the signature; a fixed first dimension is its batch size."""
    extra: dict[str, Any] = {NOTE: ""}
    with path.open("rb") as file:
        program = torch.export.load(file, extra_files=extra)
    if device.type != "cpu":
        program = importlib.import_module("torch.export.passes").move_to_device_pass(program, device)
    note = read_note(extra[NOTE])
    inputs = inputs_of(program)
    dtypes = [value.dtype for value in inputs.values()]
    specs = tuple(TensorSpec(name, datatype_of(value), shape_of(value)) for name, value in inputs.items())
    found: Signature = Tensors(specs)
    if len(specs) == 1 and len(specs[0].shape) == 1 and specs[0].datatype in FLOATS:
        found = Matrix(note.features or specs[0].shape[0])
    return TorchModel(
        torch, program.module(), settled(found, declared, by), kind="torch_export", note=note,
        device=device, dtypes=dtypes, fixed_batch=fixed(next(iter(inputs.values())).shape[0]),
    )  # fmt: skip


def load_pickled(torch: Any, path: Path, device: Any, declared: Declared, by: str) -> TorchModel:
    """A whole module as `torch.save` pickles it, which runs the file's code: MLflow's default for years."""
    module = torch.load(path, map_location=device, weights_only=False).eval()
    parameters = inspect.signature(module.forward).parameters.values()
    arguments = [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    return of_module(torch, module, Note(), device, declared, by, "torch_module", arguments)


LOADERS: Mapping[str, Callable[[Any, Path, Any, Declared, str], TorchModel]] = {
    artifact.SCRIPT: load_script,
    artifact.EXPORT: load_export,
}


def inputs_of(program: Any) -> dict[str, Any]:
    """Examples of the program's inputs by their names, or Fatal: each has the rows as its first dimension."""
    names = set(program.graph_signature.user_inputs)
    values = {
        node.name: node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in names
    }
    if not values or not all(getattr(value, "ndim", 0) for value in values.values()):
        shapes = ", ".join(str(tuple(getattr(value, "shape", ()))) for value in values.values())
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: the program takes inputs of shape {shapes or 'none'}; export it with tensors whose first "
            "dimension is the batch",
        )
    return values


def datatype_of(value: Any) -> str:
    """The protocol's word; the half floats that numpy lacks are sent as 32-bit ones."""
    name = str(value.dtype).removeprefix("torch.")
    return next((known for known, dtype in DTYPES.items() if dtype.name == name), "FP32")


def shape_of(value: Any) -> tuple[int | None, ...]:
    return tuple(fixed(size) for size in value.shape[1:])


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
