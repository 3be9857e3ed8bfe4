"""POST /v2/models/{name}[/versions/{version}]/infer of the Open Inference Protocol, with its binary tensor extension.

With `Inference-Header-Content-Length`, so many bytes of the body are JSON and the tensors' bytes follow; an answer in
which an output was asked for as bytes comes in the same form.
"""

import asyncio
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.tallies import PROTOCOL
from mlneuron_runtime.transport.guide import LARGE_BODY
from mlneuron_runtime.transport.oip import Asked, Told, infer, note
from mlneuron_runtime.transport.oip_json import asked, binary_answer, json_answer
from mlneuron_runtime.transport.wire import LONGEST_LENGTH, OCTETS_TYPE, parse_object, read_body, send_json, whole_body

V2 = PROTOCOL["v2"]

HEADER_LENGTH = b"inference-header-content-length"

LARGE_ANSWER = 16_384
"""Values above which encoding them as text leaves the event loop."""


class Infer:
    """The endpoint, in ASGI. `name` and `version` are the model's where the path is not asked for them."""

    def __init__(self, plane: DataPlane, name: str | None = None, version: str | None = None) -> None:
        self.plane, self.name, self.version = plane, name, version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plane, name, version = self.plane, self.name, self.version
        with plane.request(V2) as request:
            if name is None:
                name, version = scope["path_params"]["name"], scope["path_params"].get("version")
            served = plane.model(name, version)
            serving = plane.config.serving
            body = whole_body(scope, serving.max_body_bytes, octets=True)
            if body is None:
                body = await read_body(scope, receive, serving.max_body_bytes, serving.timeout_seconds, octets=True)
            header = header_length(scope["headers"], len(body))
            large = len(body) > LARGE_BODY
            wanted = await asyncio.to_thread(decoded, body, header) if large else decoded(body, header)
            told = await infer(request, served, wanted)
            if plane.marks is not None:
                note(plane.marks, told)
            large = not wanted.binary and size_of(told) > LARGE_ANSWER
            parts, headers = await asyncio.to_thread(encoded, told, wanted) if large else encoded(told, wanted)
        await send_answer(send, parts, headers)


def decoded(body: bytes, header: int | None) -> Asked:
    """What a body asks, of which `header` bytes are JSON; None: all."""
    if header is None:
        return asked(parse_object(body))
    return asked(parse_object(body[:header]), memoryview(body)[header:])


def header_length(headers: Sequence[tuple[bytes, bytes]], size: int) -> int | None:
    """How many bytes of the body are JSON; None where the header does not say."""
    for name, value in headers:
        if name == HEADER_LENGTH:
            if not value.isdigit() or len(value) > LONGEST_LENGTH or not 0 < int(value) <= size:
                told = HEADER_LENGTH.decode().title()
                raise InvalidInput(
                    told, f"{told} must be the length of the JSON that the body of {size} bytes begins with; send that",
                    value.decode("latin-1"),
                )  # fmt: skip
            return int(value)
    return None


def size_of(told: Told) -> int:
    """Values in the answer."""
    size = 0
    for values in told.outputs.values():
        size += values.size
    return size


Encoded = tuple[list[bytes], list[tuple[bytes, bytes]]]
"""The parts of a body, and the headers that it needs beside its length."""


def encoded(told: Told, wanted: Asked) -> Encoded:
    """As JSON, or with the bytes of what was asked for as bytes behind it."""
    if not wanted.binary and not (wanted.outputs and any(output.binary for output in wanted.outputs)):
        return [json_answer(told)], []
    said = {output.name: output.binary for output in wanted.outputs}
    as_bytes = [wanted.binary if (binary := said.get(name)) is None else binary for name in told.outputs]
    header, parts = binary_answer(told, as_bytes)
    return [header, *parts], [(HEADER_LENGTH, b"%d" % len(header))]


async def send_answer(send: Send, parts: list[bytes], headers: list[tuple[bytes, bytes]]) -> None:
    """One whole answer."""
    if not headers:
        await send_json(send, 200, parts[0])
        return
    body = b"".join(parts)
    sent = [(b"content-type", OCTETS_TYPE), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": 200, "headers": sent})
    await send({"type": "http.response.body", "body": body})


def hot(plane: DataPlane) -> dict[str, ASGIApp]:
    """The paths that carry the load: the configured model's own."""
    source = plane.config.model
    paths: dict[str, ASGIApp] = {f"/v2/models/{source.name}/infer": Infer(plane, source.name)}
    if source.version is not None:
        paths[f"/v2/models/{source.name}/versions/{source.version}/infer"] = Infer(plane, source.name, source.version)
    return paths
