"""What the data plane knows of a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlneuron_runtime.signature import FloatArray, Signature


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one call says of a batch: entry i is for row i.

    `values` is (rows,) or, with several outputs, (rows, outputs). `confidence` is (rows,), the probability
    the model gives the value it predicts; None where the model gives none (regressors, margins): a made-up
    one would mislead.
    """

    values: NDArray[Any]
    confidence: NDArray[np.float64] | None = None

    def part(self, start: int, stop: int) -> "Prediction":
        """Rows start to stop, as a view."""
        confidence = None if self.confidence is None else self.confidence[start:stop]
        return Prediction(self.values[start:stop], confidence)


class Model(Protocol):
    """A loaded model. `predict` takes (rows, features) float64 and is only called from one thread at a
    time.
    """

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

    def predict(self, rows: FloatArray) -> Prediction: ...
