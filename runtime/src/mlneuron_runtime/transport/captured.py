"""Endpoints whose requests and answers go into the payload log: by the pod that its caller reached."""

import time
from collections.abc import Callable, Mapping, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlneuron_runtime import log
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.payloads import LARGEST, Exchange, Payload, PayloadLog
from mlneuron_runtime.traffic.marks import answered_by
from mlneuron_runtime.transport.envelope import public
from mlneuron_runtime.transport.forwarding import HOP
from mlneuron_runtime.transport.wire import BODY, Disconnected, shape_of

HEAD_LENGTH = b"inference-header-content-length"
"""The JSON's length where binary tensors follow it."""

LONGEST_NUMBER = 18


PassedOn = Callable[[], Mapping[str, str]]
"""The headers that tell of the present trace; none where there is none."""


class Captured:
    """An ASGI endpoint."""

    def __init__(
        self, endpoint: ASGIApp, payloads: PayloadLog, plane: DataPlane, protocol: str, passed_on: PassedOn
    ) -> None:
        self.endpoint, self.payloads, self.plane, self.protocol = endpoint, payloads, plane, protocol
        self.passed_on = passed_on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if sent_on(scope) or not self.payloads.takes():
            await self.endpoint(scope, receive, send)
            return
        capture = Capture(scope, receive, send)
        started = time.time()
        try:
            await self.endpoint(scope, capture.receive, capture.send)
        except Exception as error:
            capture.refused(error)
            self._offer(capture, started)
            raise
        self._offer(capture, started)

    def _offer(self, capture: "Capture", started: float) -> None:
        if capture.status:  # else the caller has left
            trace = self.passed_on().get("traceparent")
            self.payloads.offer(exchange(self.plane, self.protocol, started, capture, trace))


def sent_on(scope: Scope) -> bool:
    """Whether another pod of the neuron sent this request, and logs it."""
    return any(name == HOP for name, _ in scope["headers"])


class Capture:
    """What passes between the server and an endpoint."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive, self._send, self._path = receive, send, scope["path"]
        self.request = Payload(head=head_of(scope["headers"]))
        self.response = Payload()
        self.status = 0
        whole: bytes | None = scope.get("state", {}).get(BODY)
        if whole is not None:
            keep(self.request, whole)

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            keep(self.request, message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.response.head = head_of(message["headers"])
        else:
            keep(self.response, message.get("body", b""))
        await self._send(message)

    def refused(self, error: Exception) -> None:
        """The answer that is not sent yet: what the caller will be told of an error."""
        if self.status or isinstance(error, Disconnected):
            return
        told, shape = public(error), shape_of(self._path)
        self.status = shape.status(told)
        keep(self.response, shape.body(told))


def keep(payload: Payload, chunk: bytes) -> None:
    """Add to a body, unless it grows too large to be sent."""
    payload.size += len(chunk)
    if payload.size <= LARGEST:
        payload.body = payload.body + chunk if payload.body else bytes(chunk)
    else:
        payload.body = b""


def head_of(headers: Sequence[tuple[bytes, bytes]]) -> int | None:
    for name, value in headers:
        if name.lower() == HEAD_LENGTH and value.isdigit() and len(value) <= LONGEST_NUMBER:
            return int(value)
    return None


def exchange(plane: DataPlane, protocol: str, started: float, capture: Capture, trace: str | None) -> Exchange:
    served = plane.served
    return Exchange(
        id=log.request_id.get() or "", time=started, protocol=protocol, model=plane.config.model.name,
        version=answered_by.get() or ("" if served is None else served.version), request=capture.request,
        response=capture.response, status=str(capture.status), failed=capture.status >= 400,
        columns=None if served is None else served.model.signature.names,
        traceparent=trace,
    )  # fmt: skip
