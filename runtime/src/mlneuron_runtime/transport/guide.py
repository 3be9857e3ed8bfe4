"""The guide's prediction API: POST /predict and POST /batch_predict.

    {"features": [5.1, 3.5, 1.4, 0.2], "model_version": "latest", "user_id": "user_123"}
    -> {"prediction": 0, "confidence": 0.98, "model_version": "1.0.0", "inference_time_ms": 1}

    {"batch_features": [[…], […]]}
    -> {"predictions": [{"prediction": …, …}, {"error": {…}, "row": 1}], "batch_size": 2}

`confidence` is null where the model gives none. Fields that are not known are ignored, as the guide's server
does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from mlneuron_runtime.answer import Answer, Outcome
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.errors import InvalidInput, RequestError
from mlneuron_runtime.loading import Served
from mlneuron_runtime.signature import Rows
from mlneuron_runtime.tallies import PROTOCOL
from mlneuron_runtime.tensors import Inputs, rows_of
from mlneuron_runtime.transport import numbers
from mlneuron_runtime.transport.wire import Headers, Whole, encode, parse_object

if TYPE_CHECKING:
    from mlneuron_runtime.traffic.marks import Marks

log = structlog.get_logger()

LONG_BATCH = 4096
"""Rows above which putting them into words leaves the event loop."""

LONG_BAD_BATCH = 512
"""The same where some of them are errors."""


@dataclass(slots=True)
class Row:
    """The question of POST /predict."""

    served: Served
    inputs: Inputs
    timeout: float | None = None

    @property
    def is_long(self) -> bool:
        return False

    def told(self, answer: Answer, marks: "Marks | None") -> Whole:
        value, confidence = answer.one()
        content = told(value, confidence, answer)
        if marks is not None:
            marks.add(content, value)
        return Whole(encode(content))


@dataclass(slots=True)
class Batch:
    """The question of POST /batch_predict."""

    served: Served
    rows: Rows
    timeout: float | None = None

    @property
    def inputs(self) -> Inputs:
        return self.rows.inputs

    @property
    def is_long(self) -> bool:
        return self.rows.total > (LONG_BAD_BATCH if self.rows.faults else LONG_BATCH)

    def told(self, answer: Answer, marks: "Marks | None") -> Whole:
        failure = answer.failure
        if failure is not None:
            log.error("model raised on rows of a batch", exc_info=failure.__cause__)
        return Whole(encode_batch(self.rows, answer, marks), failure=failure)


class Predict:
    """The form of POST /predict."""

    protocol = PROTOCOL["guide"]
    octets = False

    def __init__(self, plane: DataPlane) -> None:
        self.plane = plane

    def quickly(self, _body: bytes, _headers: Headers, _named: Mapping[str, str]) -> Row:
        raise numbers.Unusual

    def read(self, body: bytes, _headers: Headers, _named: Mapping[str, str]) -> Row:
        asked = read(body)
        served = self.plane.named(asked.get("model_version"))
        return Row(served, served.model.signature.row(required(asked, "features")))


class BatchPredict:
    """The form of POST /batch_predict."""

    protocol = PROTOCOL["guide"]
    octets = False

    def __init__(self, plane: DataPlane) -> None:
        self.plane = plane

    def quickly(self, body: bytes, _headers: Headers, _named: Mapping[str, str]) -> Batch:
        signature = numbers.matrix(self.plane.named(None).model.signature)
        asked = numbers.read(body, "batch_features")
        check_user(asked)
        served = self.plane.named(asked.get("model_version"))
        inputs = numbers.rows(signature, asked.get("batch_features"))
        rows = rows_of(inputs)
        return Batch(served, Rows(inputs, rows, range(rows)))

    def read(self, body: bytes, _headers: Headers, _named: Mapping[str, str]) -> Batch:
        asked = read(body)
        served = self.plane.named(asked.get("model_version"))
        return Batch(served, served.model.signature.rows(required(asked, "batch_features")))


def read(body: bytes) -> dict[str, Any]:
    """What the body asks for."""
    asked = parse_object(body)
    check_user(asked)
    return asked


def required(asked: dict[str, Any], field: str) -> object:
    """The field's value; null is a value, and the signature says what is wrong with it."""
    if field not in asked:
        raise InvalidInput(field, f'{field} is missing; send {{"{field}": […]}}')
    return asked[field]


def check_user(asked: dict[str, Any]) -> None:
    """`user_id` is the subject that traffic is split by: a string or a whole number."""
    user = asked.get("user_id")
    if user is not None and (isinstance(user, bool) or not isinstance(user, str | int)):
        raise InvalidInput("user_id", "user_id must be a string", user)


def encode_batch(rows: Rows, answer: Answer, marks: "Marks | None" = None) -> bytes:
    """An entry a row: its prediction, or its own error and place. `marks`: and who predicted it."""
    if not rows.faults and answer.failure is None and marks is None:
        return all_good(answer)
    outcomes: dict[int, Outcome] = {**rows.faults, **dict(zip(rows.positions, answer.outcomes(), strict=True))}
    predictions = [entry(position, outcomes[position], answer) for position in range(rows.total)]
    if marks is not None:
        for position, prediction in enumerate(predictions):
            if "prediction" in prediction:
                marks.add(prediction, prediction["prediction"], position)
    return encode({"predictions": predictions, "batch_size": len(predictions)})


def all_good(answer: Answer) -> bytes:
    """A batch without a bad row, put together of its values' texts: an object a row takes longer than the model."""
    values, confidences = answer.columns()
    told = b',"model_version":%b,"inference_time_ms":%d}' % (encode(answer.version), int(answer.seconds * 1000))
    if confidences[0] is None:
        told = b',"confidence":null' + told
        entries = (told + b',{"prediction":').join(texts(values))
        return b'{"predictions":[{"prediction":%b%b],"batch_size":%d}' % (entries, told, len(values))
    parts = [b"", b',"confidence":', b"", told + b',{"prediction":'] * len(values)
    parts[0::4] = texts(values)
    parts[2::4] = encode(confidences)[1:-1].split(b",")
    parts[-1] = told
    return b'{"predictions":[{"prediction":%b],"batch_size":%d}' % (b"".join(parts), len(values))


NUMBERS = {int, float, bool, type(None)}
"""What JSON writes without a comma."""


def texts(values: Sequence[Any]) -> list[bytes]:
    """Each value's JSON: of numbers from one text of all, of labels from one of each."""
    types = set(map(type, values))
    if types <= NUMBERS:
        return encode(values)[1:-1].split(b",")
    if types == {str}:
        known = {value: encode(value) for value in set(values)}
        return [known[value] for value in values]
    return [encode(value) for value in values]


def entry(position: int, outcome: Outcome, answer: Answer) -> dict[str, object]:
    if isinstance(outcome, RequestError):
        return {"error": outcome.describe(), "row": position}
    return told(outcome.prediction, outcome.confidence, answer)


def told(value: object, confidence: float | None, answer: Answer) -> dict[str, object]:
    return {
        "prediction": value,
        "confidence": confidence,
        "model_version": answer.version,
        "inference_time_ms": int(answer.seconds * 1000),
    }
