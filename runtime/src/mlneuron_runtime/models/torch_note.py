"""What a torch file says of itself: an extra file `mlneuron.json` in it, and what its output then means."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np

from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.models import predictors
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.models.few import FEW, Few, Listed, Outputs, most_probable
from mlneuron_runtime.models.shares import softmax, softmax_of
from mlneuron_runtime.tensors import FloatArray

NOTE = "mlneuron.json"


class Note(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the artifact says of itself."""

    features: int | None = None
    output: Literal["value", "logits", "probabilities"] = "value"
    classes: list[str | int] | None = None


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


def sigmoid(logits: Any) -> Any:
    return 1 / (1 + np.exp(-logits))


def interpreted(note: Note, output: Any) -> Prediction:
    """What the output says, one entry a row."""
    if output.ndim == 2 and output.shape[1] == 1:
        output = output[:, 0]
    if note.output == "value":
        return Prediction(output)
    if output.ndim == 2 and len(output) <= FEW:
        return few(note, output)
    probabilities = output.astype(np.float64)
    if note.output == "logits":
        probabilities = sigmoid(probabilities) if output.ndim == 1 else softmax(probabilities)
    if probabilities.ndim == 1:
        probabilities = np.stack([1 - probabilities, probabilities], axis=1)
    return classified(note, probabilities)


def classified(note: Note, probabilities: FloatArray) -> Prediction:
    """The most probable class of each row."""
    width = probabilities.shape[1]
    classes = np.arange(width) if note.classes is None else np.array(note.classes, dtype=object)
    return predictors.most_probable(classes, probabilities)


def few(note: Note, output: Any) -> Prediction:
    """The same of few rows, by Python."""
    rows: list[list[float]] = output.tolist()
    shares = list(map(softmax_of, rows)) if note.output == "logits" else rows
    classes: Sequence[str | int] = range(len(shares[0])) if note.classes is None else note.classes

    def listed(_outputs: Outputs) -> Listed | None:
        return most_probable(classes, shares)

    return Few([output], listed, lambda _outputs: classified(note, np.array(shares)), labels=True)
