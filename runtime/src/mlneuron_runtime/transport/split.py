"""Endpoints of a neuron whose versions compete: each request is answered by the variant that its subject is assigned
to, here or by one hop, and by the primary where that variant gives no answer. What a gateway has split already is
answered where it arrives, also by a variant's own pod, which then counts it.

In front of an endpoint, so that no protocol knows of it. The answer says who gave it: `X-Neuron-Variant`, and
`X-Neuron-Fallback: candidate; timeout` where the primary stood in.
"""

import asyncio
from collections.abc import Iterable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.errors import DeadlineExceeded, NotReady, RequestError
from mlneuron_runtime.tallies import PROTOCOL
from mlneuron_runtime.traffic import marks
from mlneuron_runtime.traffic.agreement import agree
from mlneuron_runtime.traffic.client import Response
from mlneuron_runtime.traffic.mirror import Copy
from mlneuron_runtime.traffic.remote import Fallen, Remote
from mlneuron_runtime.traffic.subject import Asked, Pin, of_request
from mlneuron_runtime.traffic.table import NOBODY, Table
from mlneuron_runtime.traffic.traffic import Traffic
from mlneuron_runtime.transport import rows
from mlneuron_runtime.transport.forwarding import DEADLINE, GIVEN, HOP, PassedOn, sent_on, told_back
from mlneuron_runtime.transport.noted import SECONDS, Noted, number_of, own_id
from mlneuron_runtime.transport.v2 import HEADER_LENGTH
from mlneuron_runtime.transport.wire import BODY, LONGEST_LENGTH, read_body

FORWARD_SHARE = 0.5
"""Of a request's time, for the variant: the rest is for the primary, should it have to answer."""


class Split:
    """An ASGI endpoint; `protocol` is one of `tallies.PROTOCOLS`."""

    def __init__(
        self, endpoint: ASGIApp, traffic: Traffic, plane: DataPlane, protocol: str, passed_on: PassedOn
    ) -> None:
        self.endpoint, self.traffic, self.plane, self.protocol = endpoint, traffic, plane, protocol
        self.passed_on = passed_on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.traffic.idle:
            await self.endpoint(scope, receive, send)
            return
        marks.forget()
        headers = dict(scope["headers"])
        given = GIVEN in headers
        if HOP in headers or (self.traffic.table is None and not given):
            await self.within_deadline(number_of(headers.get(DEADLINE)), scope, receive, send)
            return
        try:
            body = self.whole_body(scope) or await self.body_of(scope, receive)
            table = self.traffic.table or NOBODY  # as of now: nothing waits from here until it is known who answers
            asked = of_request(table.where, self.protocol, headers, head_of(headers, body), version_of(scope["path"]))
            own = None if asked.pin is None else self.version
            name = self.traffic.assigned(table, asked, own, given=given)
        except RequestError:
            with self.plane.request(PROTOCOL[self.protocol]):  # refused requests are counted as others are
                raise
        if asked.rows is not None and not given:
            await rows.answered(self, table, asked.rows, scope, receive, send)
        elif name == self.traffic.identity.variant:
            await self.here(table, asked, scope, receive, send)
        else:
            await self.there(table, self.traffic.remotes[name], asked, scope, receive, send)

    @property
    def version(self) -> str | None:
        """This pod's own."""
        served = self.plane.served
        return None if served is None else served.version

    def whole_body(self, scope: Scope) -> bytes | None:
        """The body, where it has come and is small enough; the endpoint looks at what is said of it."""
        whole: bytes | None = scope["state"].get(BODY)
        return whole if whole is None or len(whole) <= self.plane.config.serving.max_body_bytes else None

    async def body_of(self, scope: Scope, receive: Receive) -> bytes:
        """The body, kept for the endpoint."""
        serving = self.plane.config.serving
        body = await read_body(scope, receive, serving.max_body_bytes, serving.timeout_seconds, octets=True)
        scope["state"][BODY] = body
        return body

    async def within_deadline(self, milliseconds: float | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer here what another pod sent, as long as that waits; as this pod's own variant."""
        clock, variant = self.traffic.clock, self.traffic.identity.variant
        noted, started = Noted(scope, send, variant), clock()
        noted.seconds = lambda: clock() - started
        try:
            async with asyncio.timeout(None if milliseconds is None else milliseconds / 1000):
                await self.endpoint(scope, receive, noted)
        except TimeoutError as error:
            raise DeadlineExceeded("server", "whoever sent this on waits no longer") from error

    async def here(
        self, table: Table, asked: Asked, scope: Scope, receive: Receive, send: Send, fallen: str | None = None
    ) -> int:
        """Answer by this pod; the status. `fallen` says for whom, and why: that is then no request of its own."""
        traffic = self.traffic
        clock, counters = traffic.clock, traffic.own
        noted, started = Noted(scope, send, traffic.identity.variant, fallen), clock()
        shadows = [] if fallen is not None or asked.pin is not None else traffic.shadows(table)
        noted.keeps = bool(shadows)
        try:
            await self.endpoint(scope, receive, noted)
        except Exception as error:
            if fallen is None and not (isinstance(error, RequestError) and error.client_fault):
                counters.add("errors")
            raise
        finally:
            seconds = clock() - started
            if fallen is None:
                counters.served(seconds)
        traffic.remember(asked, own_id())
        for remote in shadows:
            self.mirror(remote, scope, noted, seconds)
        return noted.status

    async def there(
        self, table: Table, remote: Remote, asked: Asked, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer by a variant; where it gives none, by the primary, unless the caller named it."""
        name = remote.variant.name
        try:
            response = await self.ask(remote, scope, scope["state"][BODY])
        except Fallen as fallen:
            if asked.pin is not None:
                await self.unanswered(remote, asked.pin, fallen, send)
                return
            if not fallen.refused:
                remote.counters.fell(fallen.reason, fallen.seconds)
            status = await self.here(table, asked, scope, receive, send, f"{name}; {fallen.reason}")
            if fallen.refused and status < 400:
                remote.counters.fell(fallen.reason)
            return
        self.plane.telemetry.passed(PROTOCOL[self.protocol])
        marks.answered_by.set(remote.variant.version or name)
        await told_back(response, name, scope, send)
        self.traffic.remember(asked, own_id())

    async def ask(self, remote: Remote, scope: Scope, body: bytes) -> Response:
        """A variant's good answer, which is counted, or Fallen."""
        plane, clock, counters = self.plane, self.traffic.clock, remote.counters
        seconds = FORWARD_SHARE * plane.config.serving.timeout_seconds
        started = clock()
        plane.in_flight += 1
        counters.add("requests")
        try:
            response = await remote.post(scope["raw_path"], sent_on(scope, self.passed_on, seconds), body, seconds)
        except Fallen as fallen:
            fallen.seconds = clock() - started
            raise
        finally:
            plane.in_flight -= 1
            plane.last_seen = clock()
        taken = number_of(response.header(SECONDS))
        counters.answered(clock() - started if taken is None else taken)
        return response

    async def unanswered(self, remote: Remote, pin: Pin, fallen: Fallen, send: Send) -> None:
        """Who named a variant gets its refusal, or is told that it does not answer."""
        with self.plane.request(PROTOCOL[self.protocol]):
            name = remote.variant.name
            if not isinstance(fallen.told, Response) or not fallen.refused:
                remote.counters.failed(fallen.reason, fallen.seconds)
                told = (
                    f"the variant {name} does not answer ({fallen.reason}); send it again later, or without {pin.field}"
                )
                raise NotReady(pin.field, told)
            await told_back(fallen.told, name, {}, send)

    def mirror(self, remote: Remote, scope: Scope, noted: Noted, seconds: float) -> None:
        """Let a variant answer, too, some time."""
        if noted.status != 200:
            return
        served, clock, body, ours = self.plane.served, self.traffic.clock, scope["state"][BODY], noted.body
        exact = served is not None and is_classifier(spec.name for spec in served.outputs)
        limit = self.plane.config.serving.timeout_seconds
        path, headers = scope["raw_path"], sent_on(scope, self.passed_on, limit)

        async def ask() -> tuple[bool, float]:
            started = clock()
            response = await remote.post(path, headers, body, limit)
            taken = number_of(response.header(SECONDS))
            return agree(ours, response.body, exact), clock() - started if taken is None else taken

        self.traffic.mirror.offer(Copy(ask, seconds, len(body) + len(ours), remote.counters))


def is_classifier(outputs: Iterable[str]) -> bool:
    return "confidence" in outputs


def head_of(headers: Mapping[bytes, bytes], body: bytes) -> bytes:
    """The JSON of a body that binary tensors may follow."""
    length = headers.get(HEADER_LENGTH)
    return body if length is None or not length.isdigit() else body[: int(length[:LONGEST_LENGTH])]


def version_of(path: str) -> str | None:
    """The version that a path of V1 or V2 names."""
    if "/versions/" not in path:
        return None
    _, _, rest = path.partition("/versions/")
    return rest.partition("/")[0].partition(":")[0] or None
