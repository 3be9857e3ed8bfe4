"""From a model's file or folder to a model that has answered: digest, deserialise, warm up, in that order.

A pickle runs code when it is read, so the pin is checked before. Every way this can end badly is a `Fatal`
with its own reason. Blocking; the server runs it in a thread.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import structlog

from mlneuron_runtime.acceleration import choosing
from mlneuron_runtime.cost import measured
from mlneuron_runtime.failure import Fatal, Reason, first_line, public
from mlneuron_runtime.models.base import Artifact, Loaded, Model, Prediction, Warned
from mlneuron_runtime.settings import ModelSource
from mlneuron_runtime.signature import Signature, Table
from mlneuron_runtime.sources import local, note
from mlneuron_runtime.tensors import TensorSpec

log = structlog.get_logger()

PROBES = (0.0, 1.0, 0.5)
"""Warm-up rows hold one of these throughout. Zeros may be outside a good model's domain (a logarithm, a
ratio).
"""

DIGITS_OF_VERSION = 12

UNKNOWN_WIDTH = 1024


@dataclass(frozen=True)
class Served:
    """The model this process serves, and how it is known. `loaded_at` is in Unix seconds.

    `outputs` are what a warm-up answer held; `inline_rows` how many rows are cheap enough for the event loop's own
    turn; `engine` the library that computes, and `acceleration` why it is that one; `warnings` what the user should
    know although it serves.
    """

    name: str
    version: str
    framework: str
    sha256: str
    model: Model
    loaded_at: float
    outputs: tuple[TensorSpec, ...] = ()
    inline_rows: int = 0
    engine: str = ""
    acceleration: str = ""
    warnings: tuple[Warned, ...] = ()

    @cached_property
    def width(self) -> int:
        """Values in a row of all outputs; many, where nothing is known of them."""
        return sum(math.prod(size or 1 for size in output.shape) for output in self.outputs) or UNKNOWN_WIDTH


def load(source: ModelSource, image: str, threads: int) -> Served:
    """The served model, warm; raises Fatal."""
    digest = local.verify(source.uri, Path(source.path), source.sha256)
    started = time.perf_counter()
    engine, why = choosing.choose(source, digest, lambda: deserialise(source, image, threads).model)
    made = engine or deserialise(source, image, threads)
    model = made.model
    loaded = time.perf_counter()
    answer = warm_up(model)
    cost = measured(model, made.crossover) if answer is not None and model.steady else None
    log.info(
        "model loaded",
        model=source.name, framework=source.framework, type=model.type, sha256=digest, uri=public(source.uri),
        load_seconds=round(loaded - started, 3), warmup_seconds=round(time.perf_counter() - loaded, 3),
    )  # fmt: skip
    framework = made.framework or source.framework
    return Served(
        source.name, version_of(source, digest), framework, digest, model, time.time(),
        outputs=() if answer is None else answer.specs(), inline_rows=0 if cost is None else cost.inline_rows,
        engine=made.engine or framework, acceleration=why, warnings=made.warnings,
    )  # fmt: skip


def version_of(source: ModelSource, digest: str) -> str:
    """The manifest's, else the one that the registry gave the model, else the beginning of its digest."""
    if source.version:
        return source.version
    told = note.read(Path(source.path))
    return told.version if told is not None else digest[:DIGITS_OF_VERSION]


def deserialise(source: ModelSource, image: str, threads: int) -> Loaded:
    """What the framework's loader makes of the artifact. The loaders tell apart what they foresee; artifacts run
    code and libraries load shared objects, so anything else may happen too.
    """
    try:
        return LOADERS[source.framework](artifact_of(source, image, threads))
    except Fatal:
        raise
    except Exception as error:
        log.exception("model load failed")
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: the artifact cannot be loaded as a {source.framework} model ({first_line(error)}); save "
            f"a fitted model again, with library versions that {image} has",
        ) from error


def artifact_of(source: ModelSource, image: str, threads: int) -> Artifact:
    declared = tuple(TensorSpec(given.name, given.datatype, tuple(given.shape)) for given in source.inputs or ())
    return Artifact(Path(source.path), image, threads, declared, pinned=source.sha256 is not None)


def warm_up(model: Model) -> Prediction | None:
    """One real inference, so that ready means able; Fatal when no probe is answered.

    A model that does not say what it takes, or which texts, cannot be probed fairly, and is trusted until its first
    request.
    """
    failures: list[Exception] = []
    for probe in PROBES:
        example = model.signature.example(probe)
        if example is None:
            log.warning("warm-up skipped: the model does not tell what its rows hold")
            return None
        try:
            answer = model.predict(example)
            answered = len(answer.values)
        except Exception as error:  # a model may raise anything
            failures.append(error)
            continue
        if answered == 1:
            return answer
        failures.append(ValueError(f"{answered} answers to 1 row"))
    if guesses(model.signature):
        log.warning("warm-up failed on a guessed text: the model may know other texts", cause=first_line(failures[0]))
        return None
    raise Fatal(
        Reason.MODEL_WARMUP_FAILED,
        f"spec.model.uri: the model loaded, but a warm-up inference on {takes(model)} failed "
        f"({first_line(failures[0])}); {mend(model)}",
    ) from failures[0]


def guesses(signature: Signature) -> bool:
    """Whether a probe holds a text that the model may never have seen, and may raise on though it is well."""
    if isinstance(signature, Table):
        return any(column.datatype == "BYTES" and not column.choices for column in signature.columns)
    return any(spec.datatype == "BYTES" for spec in signature.inputs)


def mend(model: Model) -> str:
    """What to do about a warm-up that failed. Which columns hold text, a model may not tell."""
    if isinstance(model.signature, Table) or model.signature.names:
        return "serve a model that takes such rows, or tell the datatypes of its columns in spec.model.inputs"
    return "serve a model that takes such rows"


def takes(model: Model) -> str:
    """What a row of the model is, in words."""
    inputs = model.signature.inputs
    if len(inputs) == 1 and inputs[0].shape and inputs[0].datatype != "BYTES":
        return f"{model.signature.features} numbers"
    return ", ".join(f"{spec.name} ({spec.datatype})" for spec in inputs)


def _sklearn(given: Artifact) -> Loaded:
    from mlneuron_runtime.models import sklearn

    return sklearn.load(given)


def _xgboost(given: Artifact) -> Loaded:
    from mlneuron_runtime.models import xgboost

    return xgboost.load(given)


def _torch(given: Artifact) -> Loaded:
    from mlneuron_runtime.models import torch

    return torch.load(given)


def _onnx(given: Artifact) -> Loaded:
    from mlneuron_runtime.models import onnx

    return onnx.load(given)


def _mlflow(given: Artifact) -> Loaded:
    from mlneuron_runtime.models import mlflow

    return mlflow.load(given)


LOADERS: Mapping[str, Callable[[Artifact], Loaded]] = {
    "sklearn": _sklearn,
    "xgboost": _xgboost,
    "torch": _torch,
    "onnx": _onnx,
    "mlflow": _mlflow,
}
