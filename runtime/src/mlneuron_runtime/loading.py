"""From a model's file to a model that has answered: digest, deserialise, warm up, in that order.

A pickle runs code when it is read, so the pin is checked before. Every way this can end badly is a `Fatal`
with its own reason. Blocking; the server runs it in a thread.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from mlneuron_runtime.cost import measured
from mlneuron_runtime.failure import Fatal, Reason, first_line, public
from mlneuron_runtime.models.base import Model, Prediction
from mlneuron_runtime.settings import ModelSource
from mlneuron_runtime.sources.digest import check_digest, sha256_of
from mlneuron_runtime.tensors import TensorSpec

log = structlog.get_logger()

PROBES = (0.0, 1.0, 0.5)
"""Warm-up rows hold one of these throughout. Zeros may be outside a good model's domain (a logarithm, a
ratio).
"""

DIGITS_OF_VERSION = 12


@dataclass(frozen=True, slots=True)
class Warned:
    """Something about a model that serves: a reason in one word, and what it means for the user."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
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


def load(source: ModelSource, image: str, threads: int) -> Served:
    """The served model, warm; raises Fatal."""
    digest = digest_of(source)
    check_digest(source.uri, digest, source.sha256)
    started = time.perf_counter()
    model = deserialise(source, image, threads)
    loaded = time.perf_counter()
    answer = warm_up(model)
    cost = measured(model) if answer is not None and model.steady else None
    log.info(
        "model loaded",
        model=source.name, framework=source.framework, type=model.type, sha256=digest, uri=public(source.uri),
        load_seconds=round(loaded - started, 3), warmup_seconds=round(time.perf_counter() - loaded, 3),
    )  # fmt: skip
    version = source.version or digest[:DIGITS_OF_VERSION]
    return Served(
        source.name, version, source.framework, digest, model, time.time(),
        outputs=() if answer is None else answer.specs(), inline_rows=0 if cost is None else cost.inline_rows,
        engine=source.framework,
    )  # fmt: skip


def deserialise(source: ModelSource, image: str, threads: int) -> Model:
    """What the framework's loader makes of the file. The loaders tell apart what they foresee; artifacts run code and
    libraries load shared objects, so anything else may happen too.
    """
    try:
        return LOADERS[source.framework](Path(source.path), image, threads)
    except Fatal:
        raise
    except Exception as error:
        log.exception("model load failed")
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: the artifact cannot be loaded as a {source.framework} model ({first_line(error)}); save "
            f"a fitted model again, with library versions that {image} has",
        ) from error


def digest_of(source: ModelSource) -> str:
    """The file's sha256, or Fatal when there is no such file."""
    try:
        return sha256_of(Path(source.path))
    except FileNotFoundError as error:
        raise Fatal(
            Reason.MODEL_NOT_FOUND,
            f"spec.model.uri: {public(source.uri)} is not there (no file {source.path} in the pod); "
            "correct the path or put the artifact there",
        ) from error
    except OSError as error:
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: {source.path} cannot be read ({error.strerror}); name a file that uid 65532 may read",
        ) from error


def warm_up(model: Model) -> Prediction | None:
    """One real inference, so that ready means able; Fatal when no probe is answered.

    A model that does not say what it takes cannot be probed fairly, and is trusted until its first request.
    """
    failures: list[Exception] = []
    for probe in PROBES:
        example = model.signature.example(probe)
        if example is None:
            log.warning("warm-up skipped: the model does not tell how many features it takes")
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
    raise Fatal(
        Reason.MODEL_WARMUP_FAILED,
        f"spec.model.uri: the model loaded, but a warm-up inference on {takes(model)} failed "
        f"({first_line(failures[0])}); serve a model that takes such rows",
    ) from failures[0]


def takes(model: Model) -> str:
    """What a row of the model is, in words."""
    inputs = model.signature.inputs
    if len(inputs) == 1 and inputs[0].shape:
        return f"{model.signature.features} numbers"
    return ", ".join(f"{spec.name} ({spec.datatype})" for spec in inputs)


def _sklearn(path: Path, image: str, _threads: int) -> Model:
    from mlneuron_runtime.models import sklearn

    return sklearn.load(path, image)


def _xgboost(path: Path, image: str, _threads: int) -> Model:
    from mlneuron_runtime.models import xgboost

    return xgboost.load(path, image)


def _torch(path: Path, image: str, threads: int) -> Model:
    from mlneuron_runtime.models import torch

    return torch.load(path, image, threads)


LOADERS: Mapping[str, Callable[[Path, str, int], Model]] = {
    "sklearn": _sklearn,
    "xgboost": _xgboost,
    "torch": _torch,
}
