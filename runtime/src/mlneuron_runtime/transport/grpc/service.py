"""The Open Inference Protocol's gRPC service, and gRPC's own health checks.

Handlers take and give bytes: what does not parse is answered like any other bad request.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from mlneuron_runtime import errors, log
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.loading import Served
from mlneuron_runtime.tallies import PROTOCOL
from mlneuron_runtime.transport import oip, v2_metadata
from mlneuron_runtime.transport.around import Around
from mlneuron_runtime.transport.auth import unauthorized
from mlneuron_runtime.transport.envelope import logged, request_id_of
from mlneuron_runtime.transport.grpc import health_pb2, inference_pb2, messages
from mlneuron_runtime.transport.grpc.around import Work, surrounded
from mlneuron_runtime.transport.grpc.forms import Forms
from mlneuron_runtime.transport.prediction import LARGE_BODY

GRPC = PROTOCOL["grpc"]

INFERENCE = "/inference.GRPCInferenceService/"
HEALTH = "/grpc.health.v1.Health/"
SERVICES = ("", "inference.GRPCInferenceService")
"""What a health check may ask of: the server, and its service."""

STATUS: Mapping[type[errors.RequestError], grpc.StatusCode] = {
    errors.InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    errors.TooManyRows: grpc.StatusCode.INVALID_ARGUMENT,
    errors.UnknownModel: grpc.StatusCode.NOT_FOUND,
    errors.UnknownVersion: grpc.StatusCode.NOT_FOUND,
    errors.Unauthorized: grpc.StatusCode.UNAUTHENTICATED,
    errors.Unimplemented: grpc.StatusCode.UNIMPLEMENTED,
    errors.NotReady: grpc.StatusCode.UNAVAILABLE,
    errors.Overloaded: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""All others are INTERNAL. A full queue is UNAVAILABLE, which clients repeat elsewhere; RESOURCE_EXHAUSTED is what gRPC
itself says of a message that is too large.
"""

LONGEST_MESSAGE = 1000
"""Characters: a status travels in a header, and clients take few kilobytes of them."""

Context = Any
"""grpc.aio.ServicerContext, which has no types."""


class Service(grpc.GenericRpcHandler):  # type: ignore[misc]  # gRPC has no types
    """All methods of one process."""

    def __init__(self, plane: DataPlane, around: Around) -> None:
        self.plane, self.tokens, self.forms = plane, around.tokens, Forms()
        inference: dict[str, Work] = {
            "ModelInfer": surrounded(self.model_infer, around, status_of),
            "ServerLive": self.server_live,
            "ServerReady": self.server_ready,
            "ModelReady": self.model_ready,
            "ServerMetadata": self.server_metadata,
            "ModelMetadata": self.model_metadata,
            "RepositoryIndex": self.repository_index,
            "RepositoryModelLoad": self.repository_model_load,
            "RepositoryModelUnload": self.repository_model_unload,
        }
        self.methods = {INFERENCE + name: enveloped(work) for name, work in inference.items()}
        self.methods[HEALTH + "Check"] = enveloped(self.check)

    def service(self, details: Any) -> Any:
        """The handler of a method; gRPC says UNIMPLEMENTED of what has none."""
        return self.methods.get(details.method)

    async def model_infer(self, message: bytes, context: Context) -> bytes:
        plane = self.plane
        with plane.request(GRPC) as request:
            if self.tokens is not None and not self.tokens.accepts(metadata_of(context, "authorization")):
                raise unauthorized()
            large, form = len(message) > LARGE_BODY, self.forms.of(message)
            if form is None:
                served, asked, raw = await self.read(message, large)
            else:
                served, asked, raw = plane.model(form.model_name, form.model_version), form.asked(message), form.raw
            left = context.time_remaining()
            left = None if left is None else max(left, 0.0)
            told = await oip.infer(request, served, asked, left)
            if plane.marks is not None:
                oip.note(plane.marks, told)
            return await asyncio.to_thread(messages.answer, told, raw) if large else messages.answer(told, raw)

    async def read(self, message: bytes, large: bool) -> tuple[Served, oip.Asked, bool]:
        """Who is asked for what, and whether as bytes, of a message of no known form."""
        given = parsed(inference_pb2.ModelInferRequest, message)
        served = self.plane.model(given.model_name, given.model_version)
        if large:
            asked = await asyncio.to_thread(messages.asked, given)
        else:
            asked = messages.asked(given)
            self.forms.learn(message, given, asked.tensors)
        return served, asked, bool(given.raw_input_contents)

    async def server_live(self, _message: bytes, _context: Context) -> bytes:
        return sent(inference_pb2.ServerLiveResponse(live=self.plane.works))

    async def server_ready(self, _message: bytes, _context: Context) -> bytes:
        return sent(inference_pb2.ServerReadyResponse(ready=self.plane.ready))

    async def model_ready(self, message: bytes, _context: Context) -> bytes:
        asked = parsed(inference_pb2.ModelReadyRequest, message)
        ready = self.plane.ready and self.plane.model(asked.name, asked.version) is not None
        return sent(inference_pb2.ModelReadyResponse(ready=ready))

    async def server_metadata(self, _message: bytes, _context: Context) -> bytes:
        return sent(inference_pb2.ServerMetadataResponse(**v2_metadata.server_metadata()))

    async def model_metadata(self, message: bytes, _context: Context) -> bytes:
        asked = parsed(inference_pb2.ModelMetadataRequest, message)
        served = self.plane.model(asked.name, asked.version)
        return sent(inference_pb2.ModelMetadataResponse(**oip.metadata(served)))

    async def repository_index(self, message: bytes, _context: Context) -> bytes:
        asked = parsed(inference_pb2.RepositoryIndexRequest, message)
        models = v2_metadata.repository_index(self.plane, asked.ready)
        return sent(inference_pb2.RepositoryIndexResponse(models=models))

    async def repository_model_load(self, message: bytes, _context: Context) -> bytes:
        asked = parsed(inference_pb2.RepositoryModelLoadRequest, message)
        served = self.plane.model(asked.model_name or asked.repository_name)
        return sent(inference_pb2.RepositoryModelLoadResponse(model_name=served.name, isLoaded=True))

    async def repository_model_unload(self, message: bytes, _context: Context) -> bytes:
        asked = parsed(inference_pb2.RepositoryModelUnloadRequest, message)
        self.plane.model(asked.model_name or asked.repository_name)
        raise errors.Unimplemented("model", v2_metadata.UNLOAD)

    async def check(self, message: bytes, _context: Context) -> bytes:
        asked = parsed(health_pb2.HealthCheckRequest, message)
        if asked.service not in SERVICES:
            raise errors.UnknownModel("service", f"there is no such service; ask for {SERVICES[1]}", asked.service)
        response = health_pb2.HealthCheckResponse
        return sent(response(status=response.SERVING if self.plane.ready else response.NOT_SERVING))


def enveloped(work: Work) -> Any:
    """A method's handler: what goes on around each call, whatever it asks."""

    async def handle(message: bytes, context: Context) -> bytes:
        given = metadata_of(context, "x-request-id")
        request_id = request_id_of(() if given is None else ((b"x-request-id", given),)).decode()
        log.request_id.set(request_id)
        context.set_trailing_metadata((("x-request-id", request_id),))
        try:
            return await work(message, context)
        except Exception as error:  # whatever it is, the caller gets a status and the log its trace
            told = logged(error)
        await context.abort(status_of(told), told.message[:LONGEST_MESSAGE])
        raise AssertionError("abort raises")

    return grpc.unary_unary_rpc_method_handler(handle)


def status_of(error: Exception) -> Any:
    """gRPC's status for what ends a call."""
    return STATUS.get(type(error), grpc.StatusCode.INTERNAL)  # type: ignore[arg-type]  # others have none


def metadata_of(context: Context, name: str) -> bytes | None:
    """A header of the call."""
    for key, value in context.invocation_metadata():
        if key == name:
            found: bytes = value.encode() if isinstance(value, str) else value
            return found
    return None


def parsed(kind: Any, message: bytes) -> Any:
    """A message of a kind, or InvalidInput."""
    try:
        return kind.FromString(message)
    except DecodeError as error:
        name = kind.DESCRIPTOR.name
        raise errors.InvalidInput("message", f"the message is no {name}; send what the protocol describes") from error


def sent(message: Any) -> bytes:
    encoded: bytes = message.SerializeToString()
    return encoded
