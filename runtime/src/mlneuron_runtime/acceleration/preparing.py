"""Make, compare and measure an engine for a model. Runs in a process of its own, where the original's library is."""

import hashlib
import warnings
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from mlneuron_runtime.acceleration import comparison, measuring
from mlneuron_runtime.acceleration.conversion import Candidate, candidates
from mlneuron_runtime.acceleration.probes import probes
from mlneuron_runtime.acceleration.store import Classes, Engine, Manifest, Original, versions
from mlneuron_runtime.acceleration.trees import NotConvertible
from mlneuron_runtime.failure import first_line
from mlneuron_runtime.models.accelerated import AcceleratedModel
from mlneuron_runtime.models.base import Loaded, Model, Prediction
from mlneuron_runtime.tensors import FloatArray

WHOLE = 1 << 30
"""A split that no call reaches."""

LONGEST_CAUSE = 300

Asked = tuple[FloatArray, Prediction]
"""A block of probes, and what the original says of it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is kept. Without `content` the original serves."""

    reason: str
    engine: Engine | None = None
    content: bytes | None = None
    seconds: dict[str, dict[int, float]] = field(default_factory=dict)

    def manifest(self, loaded: Loaded, artifact: str) -> Manifest:
        told = None if self.engine is None else original_of(loaded)
        return Manifest(artifact, versions(), self.reason, self.engine, told, self.seconds)


def prepared(model: Model) -> Found:
    """The engine for a loaded model, or why there is none."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return _first_equal(model)
        except Exception as error:
            return Found(f"{model.type.partition('_')[0]}: {cause(error)}")


def cause(error: Exception) -> str:
    """Why there is no engine, of what the converting libraries raise: anything."""
    if isinstance(error, MemoryError):
        return "conversion not possible (it needs more memory than there is)"
    text = str(error) if isinstance(error, NotConvertible) else first_line(error)[:LONGEST_CAUSE]
    return f"conversion not possible ({text})"


def _first_equal(model: Model) -> Found:
    """The first candidate that answers as the original does, if it is faster."""
    asked: list[Asked] = []
    refusals: list[str] = []
    for make in candidates(model):
        try:
            candidate = make()
            asked = asked or answered(model)
            engine = engine_of(candidate, asked)
            verdict = comparison.compared(asked, contender(model, candidate, engine))
        except Exception as error:
            refusals.append(cause(error))
            continue
        if verdict.equal:
            return measured(model, candidate, engine, asked[0][0], verdict)
        refusals.append(f"{verdict} in {candidate.input}")
    return Found(f"{model.type.partition('_')[0]}: {'; '.join(dict.fromkeys(refusals))}")


def measured(
    model: Model, candidate: Candidate, engine: Engine, rows: FloatArray, verdict: comparison.Verdict
) -> Found:
    """With the size of parts that is fastest; without the engine if the original is faster."""
    split = measuring.best_split(
        lambda size: contender(model, candidate, msgspec.structs.replace(engine, split=size)), rows
    )
    engine = msgspec.structs.replace(engine, split=split)
    fast, own = (measuring.costs(one, rows) for one in (contender(model, candidate, engine), model))
    seconds = {"engine": fast, "original": own}
    library = model.type.partition("_")[0]
    if not measuring.faster(fast, own):
        return Found(
            f"{library}: {candidate.library} is not faster ({measuring.slower_where(fast, own)})", seconds=seconds
        )
    crossover = measuring.crossover(fast, own)
    engine = msgspec.structs.replace(engine, crossover=crossover)
    reason = f"{candidate.library} ({candidate.input}): {verdict}"
    if crossover is not None:
        reason += f"; {library} for {crossover:,} rows and more at once, once such have come"
    return Found(reason, engine, candidate.content, seconds)


ORDINARY = 1e15
"""Up to here a number may be expected in a row. Beyond, and at NaN, originals may refuse what an engine answers."""


def answered(model: Model) -> list[Asked]:
    """The probes that the original answers. One of ordinary numbers that it raises on (an unknown category) is one that
    an engine would answer all the same, so there is none for such a model.
    """
    blocks = probes(model, lambda rows: model.predict((rows,)).values)
    asked = []
    for rows in blocks:
        try:
            asked.append((rows, model.predict((rows,))))
        except Exception as error:
            if np.abs(rows).max() <= ORDINARY:
                told = first_line(error)[:LONGEST_CAUSE]
                raise NotConvertible(f"the model refuses rows that an engine answers: {told}") from error
    if not asked:
        raise NotConvertible("the model answers no probe")
    return asked


def contender(model: Model, candidate: Candidate, engine: Engine) -> AcceleratedModel:
    return AcceleratedModel(engine, original_of(Loaded(model)), candidate.content)


def engine_of(candidate: Candidate, asked: list[Asked]) -> Engine:
    values = asked[0][1].values.dtype
    return Engine(
        sha256=hashlib.sha256(candidate.content).hexdigest(), input=candidate.input, kind=candidate.kind, split=WHOLE,
        values=values.str, classes=None if candidate.classes is None else classes_of(candidate.classes),
        objective=candidate.objective, library=candidate.library,
    )  # fmt: skip


def classes_of(classes: Any) -> Classes:
    if classes.dtype.kind not in "biufUO" or (classes.dtype == object and {type(name) for name in classes} != {str}):
        raise NotConvertible(f"its classes are of {classes.dtype}")
    return Classes(classes.dtype.str, classes.tolist())


def original_of(loaded: Loaded) -> Original:
    model, warned = loaded.model, [(warning.reason, warning.message) for warning in loaded.warnings]
    return Original(model.type, dict(model.details), msgspec.to_builtins(model.signature), loaded.framework, warned)
