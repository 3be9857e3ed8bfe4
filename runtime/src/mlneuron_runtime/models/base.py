"""What the data plane knows of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlneuron_runtime.signature import Declared, Signature
from mlneuron_runtime.tensors import Array, Inputs, TensorSpec, datatype_of

PREDICTION = "prediction"
CONFIDENCE = "confidence"
PROBABILITIES = "probabilities"
"""The outputs' names in the protocols that name them."""


@dataclass(eq=False)  # not frozen, which makes one take twice as long
class Prediction:
    """What one call says of a batch: entry i is for row i.

    `values` is (rows,) or, with several outputs, (rows, outputs). `confidence` is (rows,), the probability
    the model gives the value it predicts; None where the model gives none (regressors, margins): a made-up
    one would mislead. `others` are what else the model tells (`probabilities`), by name.
    """

    values: Array
    confidence: NDArray[np.float64] | None = None
    others: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        """Rows."""
        return len(self.values)

    @property
    def is_finite(self) -> bool:
        """Whether JSON has a word for each of the values."""
        return self.values.dtype.kind != "f" or bool(np.isfinite(self.values).all())

    @cached_property
    def listed(self) -> tuple[Sequence[Any], Sequence[float | None]]:
        """Values and confidences as JSON values, made once for all the requests of a batch."""
        confidence = self.confidence
        return self.values.tolist(), [None] * len(self.values) if confidence is None else confidence.tolist()

    def tensors(self) -> dict[str, Array]:
        """Every output by its name."""
        confidence = {} if self.confidence is None else {CONFIDENCE: self.confidence}
        return {PREDICTION: self.values, **confidence, **self.others}

    def specs(self) -> tuple[TensorSpec, ...]:
        """What the outputs are, told by an answer."""
        return tuple(TensorSpec(name, datatype_of(array), array.shape[1:]) for name, array in self.tensors().items())


class Model(Protocol):
    """A loaded model. `predict` takes the inputs of its signature and is only called from one thread at a time."""

    @property
    def signature(self) -> Signature: ...

    @property
    def type(self) -> str:
        """The guide's `type`: framework and estimator in snake case, `sklearn_random_forest_classifier`."""
        ...

    @property
    def details(self) -> Mapping[str, object]:
        """What `/models` tells besides: classes, device, objective; JSON values only."""
        ...

    @property
    def steady(self) -> bool:
        """Whether a call takes as long for one row as for another, so that the cost of one tells that of all. A user's
        own code may wait for anything, and is never run in the event loop.
        """
        ...

    def predict(self, inputs: Inputs) -> Prediction: ...


@dataclass(frozen=True, slots=True)
class Warned:
    """Something about a model that serves: a reason in one word, and what it means for the user."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a loader is given: the file or folder, the image that messages name, how many threads the library may use,
    the inputs that the manifest declares, and whether it pins the content, and so vouches for it.
    """

    path: Path
    image: str
    threads: int = 1
    declared: Declared = ()
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a loader makes of an artifact. `framework` is the one that the artifact is of, `engine` the library that
    computes; None where they are what the manifest says. Calls of `crossover` rows and more are not the engine's.
    """

    model: Model
    warnings: tuple[Warned, ...] = ()
    framework: str | None = None
    engine: str | None = None
    crossover: int | None = None
