"""A model by its prepared engine, which answers as the original would, whose library is not imported."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
import structlog

from mlneuron_runtime.acceleration.store import Engine, Original
from mlneuron_runtime.failure import first_line
from mlneuron_runtime.models.base import PROBABILITIES, Model, Prediction
from mlneuron_runtime.models.few import FEW, Few, Outputs, lists
from mlneuron_runtime.models.linear import Linear
from mlneuron_runtime.models.predictors import by_sign, most_probable
from mlneuron_runtime.signature.matrix import Matrix
from mlneuron_runtime.tensors import Array, FloatArray, Inputs

log = structlog.get_logger()


class AcceleratedModel:
    """An engine behind the Model protocol. Raises whatever its library raises for bytes that are no engine."""

    steady = True

    def __init__(self, engine: Engine, original: Original, content: bytes) -> None:
        self.signature = msgspec.convert(original.signature, Matrix)
        self.type = original.type
        self.details: Mapping[str, object] = original.details
        self._run = Linear.of(content).runner() if engine.library == "numpy" else onnx_runner(content)
        self._dtype = np.dtype(engine.input)
        self._split = engine.split
        self._read, self._lists, self._labels = reader(engine), lists(engine), engine.kind != "numbers"

    def predict(self, inputs: Inputs) -> Prediction:
        """More rows than are fastest together go in parts."""
        (rows,) = inputs
        rows = rows.astype(self._dtype, copy=False)
        if len(rows) <= FEW and self._lists is not None:
            return Few(self._run(rows), self._lists, self._read, self._labels)
        if len(rows) <= self._split:
            return self._read(self._run(rows))
        return self._read(self._in_parts(rows))

    def _in_parts(self, rows: FloatArray) -> Outputs:
        parts = [self._run(rows[start : start + self._split]) for start in range(0, len(rows), self._split)]
        return [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]


class Relieved:
    """An engine, relieved by the original of the calls that are larger than those it is faster for.

    The original is loaded, in a thread, when the first such call has come; until then, and if that fails, the engine
    answers those too.
    """

    def __init__(self, engine: AcceleratedModel, load: Callable[[], Model], crossover: int) -> None:
        self.signature, self.type, self.details, self.steady = engine.signature, engine.type, engine.details, True
        self._engine, self._load, self._crossover = engine, load, crossover
        self._large: Callable[[Inputs], Prediction] | None = None

    def predict(self, inputs: Inputs) -> Prediction:
        if len(inputs[0]) < self._crossover:
            return self._engine.predict(inputs)
        if self._large is None:
            self._large = self._engine.predict
            threading.Thread(target=self._wake, args=(inputs,), name="wake", daemon=True).start()
            return self._engine.predict(inputs)
        return self._large(inputs)

    def _wake(self, inputs: Inputs) -> None:
        try:
            original = self._load()
            original.predict(inputs)
        except Exception as error:
            log.warning("the original cannot be loaded; the engine answers large calls", cause=first_line(error))
            return
        self._large = original.predict
        log.info("large calls go to the original from now on", rows=self._crossover)


def onnx_runner(content: bytes) -> Callable[[FloatArray], Outputs]:
    made = session(content)
    run, names, (given,) = made.run, [output.name for output in made.get_outputs()], made.get_inputs()
    name: str = given.name
    return lambda rows: run(names, {name: rows})


def session(onnx: bytes) -> Any:
    """On one thread: calls are microseconds, and handing them over would cost more. No arena: it keeps the memory of
    the largest batch that ever came.
    """
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])


def reader(engine: Engine) -> Callable[[Outputs], Prediction]:
    """From the engine's outputs to the original's answer."""
    values = np.dtype(engine.values)
    if engine.kind == "objective":
        return _by_objective(engine.objective or "")
    if engine.kind == "numbers":
        return lambda outputs: Prediction(squeezed(outputs[0]).astype(values, copy=False))
    if engine.classes is None:
        raise ValueError(f"the engine's {engine.kind} lack classes")
    classes = np.array(engine.classes.values, dtype=engine.classes.dtype)
    if engine.kind == "probabilities":
        return lambda outputs: most_probable(classes, outputs[0])
    if engine.kind == "signs":
        return lambda outputs: by_sign(squeezed(outputs[0]))
    place = places(classes)
    if engine.kind == "labels":
        return lambda outputs: Prediction(classes.take(place(outputs[0])).astype(values, copy=False))
    return lambda outputs: chosen(classes, place(outputs[0]), outputs[1])


def _by_objective(objective: str) -> Callable[[Outputs], Prediction]:
    from mlneuron_runtime.models.xgboost import INTERPRETERS, value

    interpret = INTERPRETERS.get(objective, value)
    return lambda outputs: interpret(squeezed(outputs[0]))


def chosen(classes: Array, places: Array, probabilities: Array) -> Prediction:
    """The classes at these places, and their probabilities."""
    probabilities = probabilities.astype(np.float64, copy=False)
    confidence = probabilities[np.arange(len(places)), places]
    return Prediction(classes.take(places), confidence, {PROBABILITIES: probabilities})


def places(classes: Array) -> Callable[[Array], Array]:
    """From the engine's labels, which ONNX has as whole numbers or text, to their places in `classes`."""
    if classes.dtype.kind in "OU":
        known = {label: place for place, label in enumerate(classes.tolist())}
        return lambda labels: np.array([known[label] for label in labels.reshape(-1).tolist()], np.intp)
    whole = classes.astype(np.int64)
    if np.array_equal(whole, np.arange(len(whole))):
        return lambda labels: labels.reshape(-1)
    return lambda labels: np.searchsorted(whole, labels.reshape(-1))


def squeezed(values: Array) -> Array:
    """A single output's column is no list."""
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
