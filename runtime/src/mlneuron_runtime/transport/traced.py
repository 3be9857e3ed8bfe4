"""Endpoints with a span around each request."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlneuron_runtime import log
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.errors import RequestError
from mlneuron_runtime.tracing import Tracing, ended, failed
from mlneuron_runtime.transport.wire import Disconnected, shape_of

SERVER_FAULT = 500


class Traced:
    """An ASGI endpoint; `route` is its path as a pattern."""

    def __init__(self, endpoint: ASGIApp, tracing: Tracing, plane: DataPlane, protocol: str, route: str) -> None:
        self.endpoint, self.tracing = endpoint, tracing
        self.name = f"POST {route}"
        self.attributes = {
            "http.request.method": "POST", "http.route": route, "mlneuron.protocol": protocol,
            "mlneuron.model.name": plane.config.model.name,
        }  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self.tracing.request(self.name, carrier(scope), self.attributes) as span:
            span.set_attribute("mlneuron.request.id", log.request_id.get() or "")
            try:
                await self.endpoint(scope, receive, noted)
            except Exception as error:
                ended(span, error)
                status = status or status_of(error, scope["path"])
                raise
            finally:
                if status:
                    span.set_attribute("http.response.status_code", status)
                if status >= SERVER_FAULT:
                    failed(span)


def carrier(scope: Scope) -> dict[str, list[str]]:
    """The headers, as OpenTelemetry reads them."""
    held: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        held.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    return held


def status_of(error: Exception, path: str) -> int:
    """What the caller will be answered; 0 where there is no caller any more."""
    if isinstance(error, Disconnected):
        return 0
    return int(shape_of(path).status(error)) if isinstance(error, RequestError) else SERVER_FAULT
