"""A request or its answer as a CloudEvent 1.0 in HTTP's binary mode, named as KServe's payload logger names them, so
that what reads those reads these. Pure.

    ce-type: org.kubeflow.serving.inference.request    …response for the answer, with the same id
    ce-source: /namespaces/ml/mlneurons/churn
    ce-id: the request's id
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson

from mlneuron_runtime.payloads.redact import Redactor
from mlneuron_runtime.settings import Identity, PayloadLog

REQUEST_TYPE = "org.kubeflow.serving.inference.request"
RESPONSE_TYPE = "org.kubeflow.serving.inference.response"

LARGEST = 256 * 1024
"""Bytes of a payload; one that is larger is told without its data."""

JSON = "application/json"

PRINTABLE = "".join(map(chr, range(0x21, 0x7F))).replace("%", "").replace('"', "")
"""What a CloudEvent's header holds as it is."""

Event = tuple[dict[str, str], bytes]
"""Headers and body of the POST."""


@dataclass(slots=True)
class Payload:
    """One body. `size` is its length on the wire, `head` that of the JSON in front of binary tensors, `read` what makes
    JSON values of a body that is none.
    """

    body: bytes = b""
    size: int = 0
    head: int | None = None
    read: Callable[[bytes], Any] | None = None


@dataclass(slots=True)
class Exchange:
    """A request and its answer. `time` is in Unix seconds; `status` is HTTP's, or gRPC's in words."""

    id: str
    time: float
    protocol: str
    model: str
    version: str
    request: Payload
    response: Payload
    status: str
    failed: bool
    columns: tuple[str, ...] | None = None
    traceparent: str | None = None

    @property
    def size(self) -> int:
        return len(self.request.body) + len(self.response.body)


def events(exchange: Exchange, neuron: Identity, config: PayloadLog) -> Iterator[Event]:
    """The exchange's events, as the configuration wants them."""
    redactor = Redactor(config.redact, exchange.columns) if config.redact else None
    common = {
        "ce-specversion": "1.0",
        "ce-id": exchange.id,
        "ce-source": f"/namespaces/{neuron.namespace}/mlneurons/{neuron.name}",
        "ce-time": datetime.fromtimestamp(exchange.time, UTC).isoformat().replace("+00:00", "Z"),
        "ce-inferenceservicename": neuron.name,
        "ce-namespace": neuron.namespace,
        "ce-component": "predictor",
        "ce-modelname": exchange.model,
        "ce-modelversion": exchange.version,
        "ce-protocol": exchange.protocol,
    }
    if exchange.traceparent is not None:
        common["ce-traceparent"] = exchange.traceparent
    if config.mode != "Response":
        yield event(common | {"ce-type": REQUEST_TYPE}, exchange.request, redactor, exchange.failed)
    if config.mode != "Request":
        told = {"ce-type": RESPONSE_TYPE, "ce-status": exchange.status}
        yield event(common | told, exchange.response, redactor, False)


def event(attributes: dict[str, str], payload: Payload, redactor: Redactor | None, refused: bool) -> Event:
    data, omitted = data_of(payload, redactor, refused)
    headers = {name: quote(value, safe=PRINTABLE) for name, value in attributes.items()}
    if omitted is not None:
        headers["ce-omitted"] = omitted
    if data:
        headers["content-type"] = JSON
    return headers, data


def data_of(payload: Payload, redactor: Redactor | None, refused: bool) -> tuple[bytes, str | None]:
    """What is sent of a body, and why some of it is left out. Whatever cannot be redacted stays here."""
    if payload.size > len(payload.body):
        return b"", "too-large"
    left_out = None if payload.head is None else "binary-tensors"
    body = payload.body if payload.head is None else payload.body[: payload.head]
    if redactor is None and payload.head is None and payload.read is None:
        return body, None
    if redactor is not None and redactor.by_place and refused:
        return b"", "refused"
    try:
        parsed: Any = (payload.read or orjson.loads)(body)
        return orjson.dumps(parsed if redactor is None else redactor.body(parsed)), left_out
    except Exception:  # whatever it is, such as nested too deep: the caller has been told
        return b"", "unreadable"
