"""HTTP as every transport here speaks it: bodies within bounds, JSON answers, and the shapes of errors.

{"error": {"field": "features[2]", "value": "x", "message": "features[2] is a string; send a number"},
 "request_id": "…"}
{"error": "features[2] is a string; send a number"}
"""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson
from starlette.types import Receive, Scope, Send

from mlneuron_runtime import errors, log
from mlneuron_runtime.transport import not_finite

Headers = Sequence[tuple[bytes, bytes]]

JSON_TYPE = b"application/json"
OCTETS_TYPE = b"application/octet-stream"


class Whole(NamedTuple):
    """All of an answer but its status: the body, its type, and what other headers it needs. `failure` is told to nobody
    but the counters, of a row in an answer that is good otherwise.
    """

    body: bytes
    type: bytes = JSON_TYPE
    headers: Headers = ()
    failure: errors.ModelFailed | None = None


BODY = "body"
"""In the scope's `state`: the body, where the server had all of it before it called the app."""

USUAL = "usual"
"""In the scope's `state`: true where it is known that the body is to be read in the usual way."""

SAYING = frozenset({b"content-length", b"content-type", b"content-encoding"})
"""Headers that say what a body is."""

LONGEST_LENGTH = 18
"""Digits of a Content-Length that are worth reading: Python refuses to read thousands."""


class BodyTooLarge(errors.RequestError):
    """The body is larger than `serving.maxBodyBytes`."""

    client_fault = True


class UnsupportedBody(errors.RequestError):
    """The body is not said to be JSON, or is compressed."""

    client_fault = True


class MalformedBody(errors.RequestError):
    """The body is not a JSON object."""

    client_fault = True


class SlowBody(errors.RequestError):
    """The body did not arrive in time."""

    client_fault = True


class HeaderTooLarge(errors.RequestError):
    """The request's line and headers are longer than `serving.maxHeaderBytes`."""

    client_fault = True


class TooManyConnections(errors.RequestError):
    """More connections than `serving.maxConnections`."""


class Disconnected(errors.RequestError):
    """The client left before its body was whole: there is nobody to answer."""

    client_fault = True


class NoRoute(errors.RequestError):
    """No such path, or not with this method."""

    client_fault = True


STATUS: Mapping[type[errors.RequestError], HTTPStatus] = {
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnknownModel: HTTPStatus.NOT_FOUND,
    errors.UnknownVersion: HTTPStatus.NOT_FOUND,
    errors.UnknownPrediction: HTTPStatus.NOT_FOUND,
    errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
    errors.Unimplemented: HTTPStatus.NOT_IMPLEMENTED,
    errors.TooManyRows: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.NotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DeadlineExceeded: HTTPStatus.GATEWAY_TIMEOUT,
    errors.ModelFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedBody: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    MalformedBody: HTTPStatus.BAD_REQUEST,
    SlowBody: HTTPStatus.REQUEST_TIMEOUT,
    HeaderTooLarge: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    TooManyConnections: HTTPStatus.SERVICE_UNAVAILABLE,
    NoRoute: HTTPStatus.NOT_FOUND,
}

RETRY_AFTER: Headers = [(b"retry-after", b"1")]
CLOSE: Headers = [(b"connection", b"close")]
"""Only where nothing more comes: a close upon bytes that were not read resets the connection, and with it the
answer. What is left of a body that is too large is read and dropped by the server instead.
"""

EXTRA_HEADERS: Mapping[type[errors.RequestError], Headers] = {
    errors.NotReady: RETRY_AFTER,
    errors.Overloaded: RETRY_AFTER,
    errors.Unauthorized: [(b"www-authenticate", b"Bearer")],
    SlowBody: CLOSE,
}


async def read_body(scope: Scope, receive: Receive, limit: int, timeout: float, octets: bool = False) -> bytes:  # noqa: ASYNC109  # told in the error
    """The body, refused as soon as it is known to be too large: by its header, else at the byte that is too
    many. `octets`: it may be said to be bytes.
    """
    check_headers(scope["headers"], limit, octets)
    whole: bytes | None = scope["state"].get(BODY)
    if whole is not None:
        return within(whole, limit)
    try:
        async with asyncio.timeout(timeout):
            message = await receive()
            if not message.get("more_body", False) and message["type"] == "http.request":
                return within(message["body"], limit)
            return await _read_rest(message, receive, limit)
    except TimeoutError as error:
        raise SlowBody("body", f"the body did not arrive within {timeout:g} s; send it faster or smaller") from error


async def _read_rest(message: Any, receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    left = limit
    while message["type"] == "http.request":
        chunk = within(message.get("body", b""), left, limit)
        chunks.append(chunk)
        left -= len(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)
        message = await receive()
    raise Disconnected("body", "the client left before the body was whole")


def within(chunk: bytes, left: int, limit: int | None = None) -> bytes:
    """The chunk, unless it is more than is left of the limit."""
    if len(chunk) > left:
        raise too_large(left if limit is None else limit)
    return chunk


def too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(
        "body",
        f"the body is larger than {limit} bytes (serving.maxBodyBytes); send fewer rows in one request",
    )


def check_headers(headers: Headers, limit: int, octets: bool = False) -> None:
    """Refuse what the headers already tell: too long, compressed, or said to be something other than JSON."""
    for name, value in headers:
        if name not in SAYING:
            continue
        if name == b"content-length" and value.isdigit() and (len(value) > LONGEST_LENGTH or int(value) > limit):
            raise too_large(limit)
        if (
            name == b"content-type"
            and value != JSON_TYPE
            and not is_json(value)
            and not (octets and value.lower() == OCTETS_TYPE)
        ):
            raise UnsupportedBody(
                "Content-Type",
                "the body must be JSON; send Content-Type: application/json",
                value.decode("latin-1"),
            )
        if name == b"content-encoding" and value.lower() != b"identity":
            raise UnsupportedBody(
                "Content-Encoding",
                "the body must not be compressed; send it as it is",
                value.decode("latin-1"),
            )


def is_json(content_type: bytes) -> bool:
    """application/json and the types built on it, whatever their parameters."""
    media = content_type.partition(b";")[0].strip().lower()
    return media == JSON_TYPE or (media.startswith(b"application/") and media.endswith(b"+json"))


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body, in strict JSON: no NaN, no trailing text, UTF-8."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise malformed(body, error) from error
    if not isinstance(parsed, dict):
        raise MalformedBody("body", 'the body is JSON, but not an object; send an object such as {"features": [1, 2]}')
    return parsed


def malformed(body: bytes, error: orjson.JSONDecodeError) -> MalformedBody:
    """What is wrong with a body that does not parse, by its field where that can be told."""
    place = not_finite.place_of(body)
    if place is not None:
        return MalformedBody(shorten(place), f"{shorten(place)} is not a finite number, and so not JSON; send a number")
    return MalformedBody("body", f"the body is not valid JSON ({error}); send a JSON object")


def shorten(place: str) -> str:
    """A place holds the caller's own keys, which may be as long as the body."""
    return place if len(place) <= errors.LONGEST_VALUE else place[: errors.LONGEST_VALUE] + "…"


def encode(content: object) -> bytes:
    """JSON; what a model may answer besides JSON's own types is written as numbers where numpy's, else as
    text.
    """
    return orjson.dumps(content, default=str, option=orjson.OPT_SERIALIZE_NUMPY)


async def send_json(send: Send, status: int, body: bytes, headers: Headers = ()) -> None:
    """One whole answer."""
    await send_whole(send, status, Whole(body, headers=headers))


async def send_whole(send: Send, status: int, whole: Whole) -> None:
    """One whole answer."""
    sent = [(b"content-type", whole.type), (b"content-length", b"%d" % len(whole.body)), *whole.headers]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": whole.body})


class Guide:
    """Errors of the guide's API: field, value, message and the request's id."""

    @staticmethod
    def status(error: errors.RequestError) -> int:
        return STATUS[type(error)]

    @staticmethod
    def body(error: errors.RequestError) -> bytes:
        return encode({"error": error.describe(), "request_id": log.request_id.get()})


class Message:
    """Errors of the Open Inference Protocol and of V1: the message, which names the field; bad input is a 400."""

    @staticmethod
    def status(error: errors.RequestError) -> int:
        return HTTPStatus.BAD_REQUEST if isinstance(error, errors.InvalidInput) else STATUS[type(error)]

    @staticmethod
    def body(error: errors.RequestError) -> bytes:
        return encode({"error": error.message})


Shape = type[Guide] | type[Message]


def shape_of(path: str) -> Shape:
    """How errors are told at a path."""
    return Message if path.startswith(("/v1/", "/v2/")) or path in {"/v1", "/v2"} else Guide
