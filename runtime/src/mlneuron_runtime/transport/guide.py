"""The guide's prediction API: POST /predict and POST /batch_predict.

    {"features": [5.1, 3.5, 1.4, 0.2], "model_version": "latest", "user_id": "user_123"}
    -> {"prediction": 0, "confidence": 0.98, "model_version": "1.0.0", "inference_time_ms": 1}

    {"batch_features": [[…], […]]}
    -> {"predictions": [{"prediction": …, …}, {"error": {…}, "row": 1}], "batch_size": 2}

`confidence` is null where the model gives none. Fields that are not known are ignored, as the guide's server
does.
"""

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send

from mlneuron_runtime.dataplane import Answer, Answered, DataPlane, Outcome
from mlneuron_runtime.errors import InvalidInput, RequestError
from mlneuron_runtime.transport.wire import encode, parse_object, read_body, send_json

LARGE_BODY = 64 * 1024
"""Above this, decoding and encoding leave the event loop: other requests go on between their steps."""


class Predict:
    """POST /predict, as an ASGI endpoint: the hot path takes no Request or Response object."""

    def __init__(self, plane: DataPlane) -> None:
        self.plane = plane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.plane.request() as request:
            asked, _ = await ask(self.plane, scope, receive)
            answered, answer = await request.predict(required(asked, "features"), asked.get("model_version"))
        await send_json(send, 200, encode(told(answered, answer)))


class BatchPredict:
    """POST /batch_predict."""

    def __init__(self, plane: DataPlane) -> None:
        self.plane = plane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.plane.request() as request:
            asked, large = await ask(self.plane, scope, receive)
            answer = await request.predict_batch(required(asked, "batch_features"), asked.get("model_version"))
        await send_json(send, 200, await asyncio.to_thread(encode_batch, answer) if large else encode_batch(answer))


async def ask(plane: DataPlane, scope: Scope, receive: Receive) -> tuple[dict[str, Any], bool]:
    """What the body asks for, and whether it is a large one."""
    serving = plane.config.serving
    body = await read_body(scope, receive, serving.max_body_bytes, serving.timeout_seconds)
    large = len(body) > LARGE_BODY
    asked = await asyncio.to_thread(parse_object, body) if large else parse_object(body)
    check_user(asked)
    return asked, large


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


def encode_batch(answer: Answer) -> bytes:
    predictions = [row(position, outcome, answer) for position, outcome in enumerate(answer.outcomes)]
    return encode({"predictions": predictions, "batch_size": len(predictions)})


def row(position: int, outcome: Outcome, answer: Answer) -> dict[str, object]:
    """A row of a batch: its prediction, or its own error and place."""
    if isinstance(outcome, RequestError):
        return {"error": outcome.describe(), "row": position}
    return told(outcome, answer)


def told(answered: Answered, answer: Answer) -> dict[str, object]:
    return {
        "prediction": answered.prediction,
        "confidence": answered.confidence,
        "model_version": answer.version,
        "inference_time_ms": int(answer.seconds * 1000),
    }
