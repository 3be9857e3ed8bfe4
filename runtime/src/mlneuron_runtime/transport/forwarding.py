"""The headers of a request that goes on to a variant, and of the answer that comes back."""

from collections.abc import Callable, Mapping

from starlette.types import Scope, Send

from mlneuron_runtime import log
from mlneuron_runtime.traffic import marks
from mlneuron_runtime.traffic.client import Header, Response
from mlneuron_runtime.transport.noted import PREDICTION, VARIANT, identify
from mlneuron_runtime.transport.v2 import HEADER_LENGTH

PassedOn = Callable[[], Mapping[str, str]]
"""The headers that tell of the present trace; none where there is none."""

HOP = b"x-mlneuron-hop"
"""Marks a request that was sent on once: it is answered where it arrives."""

GIVEN = b"x-mlneuron-split"
"""Marks a request that a gateway has split: it is answered where it arrives, and counted there."""

DEADLINE = b"x-request-deadline-ms"

GOES_ON = frozenset({b"content-type", b"authorization", HEADER_LENGTH})
TRACE = frozenset({b"traceparent", b"tracestate", b"baggage"})
COMES_BACK = frozenset({b"content-type", HEADER_LENGTH})


def sent_on(scope: Scope, passed_on: PassedOn, seconds: float) -> list[Header]:
    """With a request for a variant, that has so long to answer it."""
    trace = passed_on()
    kept = GOES_ON if trace else GOES_ON | TRACE
    headers: list[Header] = [header for header in scope["headers"] if header[0] in kept]
    headers += [(name.encode(), value.encode()) for name, value in trace.items()]
    request = log.request_id.get() or ""
    return [*headers, (b"x-request-id", request.encode()), (HOP, b"1"), (DEADLINE, b"%d" % int(1000 * seconds))]


async def told_back(response: Response, name: str, scope: Scope, send: Send) -> None:
    """A variant's answer, as it came."""
    headers = [header for header in response.headers if header[0] in COMES_BACK]
    headers += [(b"content-length", b"%d" % len(response.body)), (VARIANT, name.encode())]
    mark = response.header(PREDICTION)
    if mark is not None:
        marks.prediction.set(mark.decode("latin-1"))
        headers.append((PREDICTION, mark))
        identify(scope, mark.decode("latin-1"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
