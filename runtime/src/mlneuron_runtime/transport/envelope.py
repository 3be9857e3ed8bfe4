"""Around every request: its id, the close of connections while draining, and the mapping of errors to
answers, in the shape of the protocol that the path belongs to.

The outermost layer that knows the data plane, so no endpoint catches anything, and no exception's text
leaves. The paths that carry the load (`hot`) go straight to their endpoints: routing costs more than parsing and
predicting one row.
"""

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlneuron_runtime import log
from mlneuron_runtime.errors import ModelFailed, RequestError
from mlneuron_runtime.transport.wire import (
    CLOSE,
    EXTRA_HEADERS,
    Disconnected,
    NoRoute,
    Whole,
    send_whole,
    shape_of,
)

logger = structlog.get_logger()

ACCEPTED_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
"""An id from outside goes into logs and answers: these characters are harmless in both."""


PROCESS = secrets.token_hex(8).encode()
"""Makes the ids of this process its own; counting within it is ten times as fast as a random id each."""

ID = "mlneuron.request_id"
"""In the scope: the id to answer with, where it is another than was known when the request came."""

_numbers = count(1)


class Envelope:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, draining: Callable[[], bool], hot: Mapping[str, ASGIApp] | None = None) -> None:
        self.app = app
        self.draining = draining
        self.hot = {} if hot is None else hot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = request_id_of(scope["headers"])
        log.request_id.set(request_id.decode())
        started = False

        def tagged(message: Message) -> Awaitable[None]:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                closing = CLOSE if self.draining() else ()  # asked now: a stop may have come since the request
                message["headers"] = [*message["headers"], (b"x-request-id", scope.get(ID, request_id)), *closing]
            return send(message)

        try:
            app = self.hot.get(scope["path"]) if scope["method"] == "POST" else None
            await (self.app if app is None else app)(scope, receive, tagged)
        except Exception as error:  # whatever it is, the caller gets the documented shape and the log its trace
            if started:
                raise
            if not isinstance(error, Disconnected):
                await send_whole(tagged, *told_error(error, scope["path"]))


def request_id_of(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The caller's X-Request-Id when it is harmless, else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and ACCEPTED_ID.fullmatch(value):
            return value
    return b"%s%016x" % (PROCESS, next(_numbers))


def told_error(error: Exception, path: str) -> tuple[int, Whole]:
    """Tell the log what happened; what tells the caller what to do."""
    told, shape = logged(error), shape_of(path)
    return shape.status(told), Whole(shape.body(told), headers=EXTRA_HEADERS.get(type(told), ()))


def logged(error: Exception) -> RequestError:
    """What the caller may know of an error, once the log knows the rest."""
    if not isinstance(error, RequestError):
        logger.error("unexpected error", exc_info=error)
    elif isinstance(error, ModelFailed):
        logger.error("model raised", exc_info=error.__cause__)
    else:
        tell = logger.info if error.client_fault else logger.warning
        tell("request refused", reason=error.reason, field=error.field)
    return public(error)


def public(error: Exception) -> RequestError:
    """What the caller may know of an error."""
    if isinstance(error, RequestError):
        return error
    return ModelFailed("server", "the server failed on this request; its log has the cause")


async def no_route(request: Request, error: Exception) -> Response:
    """Starlette's own 404 and 405, in the documented shape."""
    if not isinstance(error, HTTPException):  # what Starlette's type of handlers cannot say
        raise error
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        fault = NoRoute("method", f"{request.url.path} does not take {request.method}; use {allowed}", request.method)
    else:
        fault = NoRoute("path", "there is nothing at this path; see /models for what is served", request.url.path)
    body = shape_of(request.url.path).body(fault)
    return Response(body, error.status_code, error.headers, media_type="application/json")
