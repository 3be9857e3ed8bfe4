"""The guide's prediction API: POST /predict and POST /batch_predict.

    {"features": [5.1, 3.5, 1.4, 0.2], "model_version": "latest", "user_id": "user_123"}
    -> {"prediction": 0, "confidence": 0.98, "model_version": "1.0.0", "inference_time_ms": 1}

    {"batch_features": [[…], […]]}
    -> {"predictions": [{"prediction": …, …}, {"error": {…}, "row": 1}], "batch_size": 2}

`confidence` is null where the model gives none. Fields that are not known are ignored, as the guide's server
does.
"""

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from starlette.types import Receive, Scope, Send

from mlneuron_runtime.answer import Answer, Outcome
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.errors import InvalidInput, RequestError
from mlneuron_runtime.signature import Rows
from mlneuron_runtime.tallies import PROTOCOL
from mlneuron_runtime.transport.wire import encode, parse_object, read_body, send_json, whole_body

if TYPE_CHECKING:
    from mlneuron_runtime.traffic.marks import Marks

log = structlog.get_logger()

GUIDE = PROTOCOL["guide"]

LARGE_BODY = 64 * 1024
"""Above this, decoding and encoding leave the event loop: other requests go on between their steps."""


class Predict:
    """POST /predict, as an ASGI endpoint: the hot path takes no Request or Response object."""

    def __init__(self, plane: DataPlane) -> None:
        self.plane = plane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plane = self.plane
        with plane.request(GUIDE) as request:
            body = whole_body(scope, plane.config.serving.max_body_bytes)
            asked = (await ask(plane, scope, receive))[0] if body is None or len(body) > LARGE_BODY else read(body)
            served = plane.named(asked.get("model_version"))
            inputs = served.model.signature.row(required(asked, "features"))
            answer = await request.infer(served, inputs)
            value, confidence = answer.one()
        content = told(value, confidence, answer)
        if plane.marks is not None:
            plane.marks.add(content, value)
        await send_json(send, 200, encode(content))


class BatchPredict:
    """POST /batch_predict."""

    def __init__(self, plane: DataPlane) -> None:
        self.plane = plane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plane = self.plane
        with plane.request(GUIDE) as request:
            asked, large = await ask(plane, scope, receive)
            served = plane.named(asked.get("model_version"))
            rows = served.model.signature.rows(required(asked, "batch_features"))
            answer = await request.infer(served, rows.inputs) if len(rows.positions) else Answer(served, [], 0.0)
            request.failure = answer.failure
            if request.failure is not None:
                log.error("model raised on rows of a batch", exc_info=request.failure.__cause__)
        marks = plane.marks
        body = (
            await asyncio.to_thread(encode_batch, rows, answer, marks) if large else encode_batch(rows, answer, marks)
        )
        await send_json(send, 200, body)


async def ask(plane: DataPlane, scope: Scope, receive: Receive) -> tuple[dict[str, Any], bool]:
    """What the body asks for, and whether it is a large one."""
    serving = plane.config.serving
    body = await read_body(scope, receive, serving.max_body_bytes, serving.timeout_seconds)
    large = len(body) > LARGE_BODY
    return await asyncio.to_thread(read, body) if large else read(body), large


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
    parts = [b"", b',"confidence":', b"", told + b',{"prediction":'] * len(values)
    parts[0::4] = texts(values)
    parts[2::4] = texts(confidences)
    parts[-1] = told
    return b'{"predictions":[{"prediction":%b],"batch_size":%d}' % (b"".join(parts), len(values))


NUMBERS = {int, float, bool, type(None)}
"""What JSON writes without a comma."""


def texts(values: list[Any]) -> list[bytes]:
    """Each value's JSON: of numbers from one text of all, of labels from one of each."""
    kinds = set(map(type, values))
    if kinds <= NUMBERS:
        return encode(values)[1:-1].split(b",")
    if kinds == {str}:
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
