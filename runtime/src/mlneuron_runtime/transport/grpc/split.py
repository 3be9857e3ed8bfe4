"""What `transport/split.py` is to REST's endpoints, for gRPC's ModelInfer: the message goes on as it came, and the
trailing metadata say who answered.
"""

import asyncio
from typing import Any

from google.protobuf.message import DecodeError
from grpc.aio import AioRpcError

from mlneuron_runtime import log
from mlneuron_runtime.errors import InvalidInput, NotReady, RequestError
from mlneuron_runtime.tallies import PROTOCOL
from mlneuron_runtime.traffic import marks
from mlneuron_runtime.traffic.agreement import same
from mlneuron_runtime.traffic.mirror import Copy
from mlneuron_runtime.traffic.remote import Fallen, Remote
from mlneuron_runtime.traffic.subject import PIN, PIN_HEADER, VERSION, Asked, Pin, pin_of, text
from mlneuron_runtime.traffic.table import NOBODY, PRIMARY, Table, Where
from mlneuron_runtime.traffic.traffic import Traffic
from mlneuron_runtime.transport.around import Around
from mlneuron_runtime.transport.forwarding import HOP, TRACE
from mlneuron_runtime.transport.grpc.around import Work
from mlneuron_runtime.transport.grpc.captured import response_json
from mlneuron_runtime.transport.grpc.inference_pb2 import ModelInferRequest
from mlneuron_runtime.transport.grpc.messages import value_of
from mlneuron_runtime.transport.noted import FALLBACK, OURS, PREDICTION, SECONDS, VARIANT, number_of, own_id
from mlneuron_runtime.transport.prediction import LARGE_BODY
from mlneuron_runtime.transport.split import FORWARD_SHARE, is_classifier

GRPC = PROTOCOL["grpc"]

GOES_ON = frozenset({"authorization", *(name.decode() for name in TRACE)})

Context = Any


class Split:
    """ModelInfer; `work` answers here."""

    def __init__(self, work: Work, around: Around, traffic: Traffic) -> None:
        self.work, self.around, self.traffic, self.plane = work, around, traffic, around.plane

    async def __call__(self, message: bytes, context: Context) -> bytes:
        traffic = self.traffic
        if traffic.table is None and not traffic.named:
            return await self.work(message, context)
        marks.prediction.set(None)
        marks.answered_by.set(None)
        metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        if traffic.table is None or HOP.decode() in metadata:
            return await self.sent_on(message, context)
        large = len(message) > LARGE_BODY
        given = await asyncio.to_thread(read, message) if large else read(message)
        table = traffic.table or NOBODY  # as of now: nothing waits from here until it is known who answers
        asked = asked_of(table.where, given, metadata)
        served = self.plane.served
        try:
            name = traffic.assigned(table, asked, None if served is None else served.version)
        except RequestError:
            with self.plane.request(GRPC):  # refused requests are counted as others are
                raise
        tokens = self.around.tokens
        if name == PRIMARY or not (tokens is None or tokens.accepts(metadata.get("authorization", "").encode())):
            return await self.here(table, asked, message, context, metadata)
        return await self.there(table, traffic.remotes[name], asked, message, context, metadata)

    async def sent_on(self, message: bytes, context: Context) -> bytes:
        """Answer here what another pod sent, as this pod's own variant; the call's own deadline holds."""
        clock = self.traffic.clock
        started = clock()
        answer = await self.work(message, context)
        tell(context, self.traffic.identity.variant, {SECONDS: f"{clock() - started:.6f}"})
        return answer

    async def here(
        self, table: Table, asked: Asked, message: bytes, context: Context, metadata: dict[str, str],
        fallen: str | None = None,
    ) -> bytes:  # fmt: skip
        """Answer by the primary. `fallen` says for whom, and why: that is then no request of its own."""
        traffic = self.traffic
        clock, counters = traffic.clock, traffic.own
        shadows = [] if fallen is not None or asked.pin is not None else traffic.shadows(table)
        started = clock()
        try:
            answer = await self.work(message, context)
        except Exception as error:
            if fallen is None and not (isinstance(error, RequestError) and error.client_fault):
                counters.add("errors")
            raise
        finally:
            seconds = clock() - started
            if fallen is None:
                counters.served(seconds)
        tell(context, PRIMARY, {} if fallen is None else {FALLBACK: fallen})
        traffic.remember(asked, own_id())
        for remote in shadows:
            self.mirror(remote, message, answer, self.goes_on(metadata), seconds)
        return answer

    async def there(
        self, table: Table, remote: Remote, asked: Asked, message: bytes, context: Context, metadata: dict[str, str]
    ) -> bytes:
        """Answer by a variant; where it gives none, by the primary, unless the caller named it."""
        name = remote.variant.name
        try:
            answer, trailing = await self.ask(remote, message, context, metadata)
        except Fallen as fallen:
            if asked.pin is not None:
                if not fallen.refused:
                    remote.counters.failed(fallen.reason, fallen.seconds)
                with self.plane.request(GRPC):
                    raise unanswered(name, asked.pin, fallen) from fallen
            if not fallen.refused:
                remote.counters.fell(fallen.reason, fallen.seconds)
            told = await self.here(table, asked, message, context, metadata, f"{name}; {fallen.reason}")
            if fallen.refused:
                remote.counters.fell(fallen.reason)
            return told
        self.plane.telemetry.passed(GRPC)
        marks.answered_by.set(remote.variant.version or name)
        marks.prediction.set(trailing.get(PREDICTION.decode()))
        tell(context, name, {})
        self.traffic.remember(asked, own_id())
        return answer

    async def ask(
        self, remote: Remote, message: bytes, context: Context, metadata: dict[str, str]
    ) -> tuple[bytes, dict[str, str]]:
        """A variant's good answer, which is counted, and trailing metadata; or Fallen."""
        plane, clock, counters = self.plane, self.traffic.clock, remote.counters
        limit, left = plane.config.serving.timeout_seconds, context.time_remaining()
        seconds = FORWARD_SHARE * (limit if left is None else min(limit, max(left, 0.0)))
        started = clock()
        plane.in_flight += 1
        counters.add("requests")
        try:
            answer, told = await remote.call(message, self.goes_on(metadata), seconds)
        except Fallen as fallen:
            fallen.seconds = clock() - started
            raise
        finally:
            plane.in_flight -= 1
            plane.last_seen = clock()
        trailing = {key: value for key, value in told or () if isinstance(value, str)}
        taken = number_of(trailing.get(SECONDS.decode(), "").encode())
        counters.answered(clock() - started if taken is None else taken)
        return answer, trailing

    def goes_on(self, metadata: dict[str, str]) -> list[tuple[str, str]]:
        """The metadata for a variant."""
        trace = self.around.passed_on()
        kept = {key: value for key, value in metadata.items() if key in GOES_ON}
        return [*{**kept, **trace}.items(), ("x-request-id", log.request_id.get() or ""), (HOP.decode(), "1")]

    def mirror(
        self, remote: Remote, message: bytes, ours: bytes, metadata: list[tuple[str, str]], seconds: float
    ) -> None:
        """Let a variant answer, too, some time."""
        served, clock = self.plane.served, self.traffic.clock
        exact = served is not None and is_classifier(spec.name for spec in served.outputs)
        limit = self.plane.config.serving.timeout_seconds

        async def ask() -> tuple[bool, float]:
            started = clock()
            answer, told = await remote.call(message, metadata, limit)
            taken = number_of(dict(told or ()).get(SECONDS.decode(), "").encode())
            agrees = same(predicted(ours), predicted(answer), exact)
            return agrees, clock() - started if taken is None else taken

        self.traffic.mirror.offer(Copy(ask, seconds, len(message) + len(ours), remote.counters))


def read(message: bytes) -> ModelInferRequest | None:
    try:
        given: ModelInferRequest = ModelInferRequest.FromString(message)
    except DecodeError:
        return None
    return given


def asked_of(where: Where, given: ModelInferRequest | None, metadata: dict[str, str]) -> Asked:
    """Whom a call is about. What cannot be read names nobody: the primary says what is wrong with it."""
    subject = metadata.get(where.header.decode(), "").encode() or None
    pin = pin_of(metadata.get(PIN.decode()), PIN_HEADER)
    if given is not None:
        if pin is None:
            pin = pin_of(given.model_version, VERSION)
        if subject is None and where.field in given.parameters:
            subject = text(value_of(given.parameters[where.field]))
    return Asked(subject, pin)


def unanswered(name: str, pin: Pin, fallen: Fallen) -> RequestError:
    """Who named a variant gets its refusal, or is told that it does not answer."""
    if fallen.refused and isinstance(fallen.told, AioRpcError):
        return InvalidInput("inputs", str(fallen.told.details()))
    told = f"the variant {name} does not answer ({fallen.reason}); send it again later, or without {pin.field}"
    return NotReady(pin.field, told)


def tell(context: Context, name: str, others: dict[bytes, str]) -> None:
    """The trailing metadata of an answer; the id is one that any pod can judge, unless the caller chose it."""
    request, mark = log.request_id.get() or "", marks.prediction.get()
    judged = mark is not None and request.startswith(OURS)
    told = {"x-request-id": f"{request}:{mark}" if judged else request, VARIANT.decode(): name}
    if mark is not None:
        told[PREDICTION.decode()] = mark
    told.update({key.decode(): value for key, value in others.items()})
    context.set_trailing_metadata(tuple(told.items()))


def predicted(answer: bytes) -> list[Any]:
    """The prediction's values."""
    outputs = response_json(answer)["outputs"]
    found: list[Any] = next((one["data"] for one in outputs if one["name"] == "prediction"), outputs[0]["data"])
    return found
