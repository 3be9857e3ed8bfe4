"""POST /feedback: how a prediction turned out, by whose it was.

    {"request_id": "8f0c…:candidate:6924a1b3:n3ff0000000000000", "outcome": 1}
    {"subject": "user_123", "outcome": "churned", "variant": "candidate"}
    -> {"recorded": true, "variant": "candidate", "correct": true, "absolute_error": 0.0}

The id says what was predicted, so any pod can judge it, up to `marks.WINDOW_SECONDS` later. By its subject, or by an id
that the caller gave it, the pod that answered knows a prediction for an hour (`traffic/memory.py`).
"""

import time
from typing import Any

from starlette.types import Receive, Scope, Send

from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.errors import InvalidInput, UnknownPrediction
from mlneuron_runtime.traffic.marks import WINDOW_SECONDS, Predicted, read
from mlneuron_runtime.traffic.memory import REMEMBERED, REMEMBERED_SECONDS
from mlneuron_runtime.traffic.subject import text
from mlneuron_runtime.traffic.table import PRIMARY
from mlneuron_runtime.traffic.traffic import Traffic
from mlneuron_runtime.transport.wire import encode, parse_object, read_body, send_json

LONGEST_ID = 512

CLOCKS_APART_SECONDS = 60
"""By which a prediction may seem to lie ahead: another pod made it."""


class Feedback:
    """The endpoint, in ASGI."""

    def __init__(self, plane: DataPlane, traffic: Traffic) -> None:
        self.plane, self.traffic = plane, traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        serving = self.plane.config.serving
        told = parse_object(await read_body(scope, receive, serving.max_body_bytes, serving.timeout_seconds))
        if told.get("outcome") is None:
            raise InvalidInput("outcome", "outcome is missing; send what turned out to be true, as the model says it")
        identifier, predicted = self.found(told)
        check(told, predicted, time.time())
        if predicted.variant != PRIMARY and predicted.variant not in self.traffic.remotes:
            raise UnknownPrediction(
                "variant", "the variant that predicted it is not there any more; nothing is kept of it",
                predicted.variant,
            )  # fmt: skip
        correct, distance = predicted.judged(told["outcome"])
        first = self.traffic.memory.first_time(identifier)
        if first:
            self.traffic.board.of(predicted.variant).judged(correct, distance)
        answer = {"recorded": first, "variant": predicted.variant, "correct": correct, "absolute_error": distance}
        await send_json(send, 200, encode(answer))

    def found(self, told: dict[str, Any]) -> tuple[str, Predicted]:
        """The prediction that is meant, and what it is known by."""
        fields = [field for field in ("request_id", "subject") if field in told]
        if len(fields) != 1:
            raise InvalidInput("request_id", "send either request_id or subject, and the outcome")
        (field,) = fields
        key = text(told[field])
        if key is None or len(key) > LONGEST_ID:
            raise InvalidInput(field, f"{field} must be a string of at most {LONGEST_ID} bytes", told[field])
        name = key.decode(errors="replace")
        predicted = read(name) if field == "request_id" else None
        if predicted is not None:
            return name, predicted
        predicted = self.traffic.memory.recall(field, name)
        if predicted is None:
            raise UnknownPrediction(
                field,
                f"no such prediction is known here; send the request_id of its answer, which any pod understands (by "
                f"another, a process knows its latest {REMEMBERED} for {REMEMBERED_SECONDS / 60:g} minutes)",
                name,
            )
        return f"{field} {name} {predicted}", predicted


def check(told: dict[str, Any], predicted: Predicted, now: float) -> None:
    """Raise for a prediction that is too old, or of another variant than the caller thinks."""
    if not now - WINDOW_SECONDS <= predicted.at <= now + CLOCKS_APART_SECONDS:
        days = WINDOW_SECONDS / 86_400
        raise InvalidInput("request_id", f"the prediction is not of the last {days:g} days; outcomes count that long")
    variant = told.get("variant")
    if variant is not None and variant != predicted.variant:
        raise InvalidInput("variant", f"{predicted.variant} predicted it; correct variant, or leave it out", variant)
