"""What the data plane answers, and the forms that transports ask of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlneuron_runtime.batcher import Failure, Piece
from mlneuron_runtime.errors import ModelFailed, RequestError
from mlneuron_runtime.loading import Served
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.tensors import Array


@dataclass(frozen=True, slots=True)
class Answered:
    """One row's prediction as JSON values. `confidence` is None where the model gives none."""

    prediction: Any
    confidence: float | None


Outcome = Answered | RequestError


@dataclass(slots=True)  # not frozen, which makes one take twice as long
class Answer:
    """What the model makes of one request's rows, in the order asked; `seconds` includes the queue."""

    served: Served
    pieces: list[Piece]
    seconds: float

    @property
    def version(self) -> str:
        return self.served.version

    @property
    def failure(self) -> ModelFailed | None:
        """Of the first row that the model raised on."""
        for piece in self.pieces:
            if isinstance(piece.outcome, Failure):
                return failed(piece.outcome)
        return None

    def one(self) -> tuple[Any, float | None]:
        """The value and confidence of the only row; raises ModelFailed."""
        piece = self.pieces[0]
        if isinstance(piece.outcome, Failure):
            raise failed(piece.outcome)
        values, confidences = piece.outcome.listed
        return values[piece.start], confidences[piece.start]

    def columns(self) -> tuple[list[Any], list[float | None]]:
        """Values and confidences of all rows, as JSON values; raises ModelFailed for any row."""
        values: list[Any] = []
        confidences: list[float | None] = []
        for piece in self.pieces:
            if isinstance(piece.outcome, Failure):
                raise failed(piece.outcome)
            listed = piece.outcome.listed
            values += listed[0][piece.start : piece.stop]
            confidences += listed[1][piece.start : piece.stop]
        return values, confidences

    def outcomes(self) -> Iterator[Outcome]:
        """One a row, as JSON values."""
        for piece in self.pieces:
            if isinstance(piece.outcome, Failure):
                yield from [failed(piece.outcome)] * piece.size
                continue
            values, confidences = piece.outcome.listed
            places = slice(piece.start, piece.stop)
            yield from map(Answered, values[places], confidences[places])

    def tensors(self) -> dict[str, Array]:
        """Every output by its name, all rows of it; raises ModelFailed for any row."""
        parts = []
        for piece in self.pieces:
            if isinstance(piece.outcome, Failure):
                raise failed(piece.outcome)
            parts.append(outputs_of(piece.outcome, piece.start, piece.stop))
        return (
            parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        )


def outputs_of(outcome: Prediction, start: int, stop: int) -> dict[str, Array]:
    """The rows of a prediction's outputs, as views."""
    return {name: array[start:stop] for name, array in outcome.tensors().items()}


def failed(outcome: Failure) -> ModelFailed:
    """The cause stays in the log."""
    error = ModelFailed("model", "the model failed on this input; the server's log has the cause")
    error.__cause__ = outcome.error
    return error
