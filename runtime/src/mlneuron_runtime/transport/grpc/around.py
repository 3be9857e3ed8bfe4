"""What `transport/around.py` is to REST's endpoints, for gRPC's ModelInfer: payloads, and a span around each call."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from mlneuron_runtime import log
from mlneuron_runtime.transport.around import Around

METHOD = "inference.GRPCInferenceService/ModelInfer"

OURS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
"""Statuses that are this server's fault."""

Work = Callable[[bytes, Any], Awaitable[bytes]]
"""From a message and gRPC's context to the answer."""

StatusOf = Callable[[Exception], Any]


def surrounded(work: Work, around: Around, status_of: StatusOf) -> Work:
    """ModelInfer with what the configuration wants around it; itself where that is nothing."""
    if around.traffic is not None:
        from mlneuron_runtime.transport.grpc.split import Split

        work = Split(work, around, around.traffic)
    if around.payloads is not None:
        from mlneuron_runtime.transport.grpc.captured import captured

        work = captured(work, around, around.payloads, status_of)
    if around.tracing is not None:
        work = traced(work, around, status_of)
    return work


def traced(work: Work, around: Around, status_of: StatusOf) -> Work:
    """With a span, in the trace that the caller's metadata tells."""
    from mlneuron_runtime.tracing import ended, failed

    tracing, model = around.tracing, around.plane.config.model.name
    assert tracing is not None  # noqa: S101  # whoever asks for it has looked
    attributes = {"rpc.system": "grpc", "rpc.method": METHOD, "mlneuron.protocol": "grpc", "mlneuron.model.name": model}

    async def handle(message: bytes, context: Any) -> bytes:
        carrier = {key: [value] for key, value in context.invocation_metadata() if isinstance(value, str)}
        with tracing.request(METHOD, carrier, attributes) as span:
            span.set_attribute("mlneuron.request.id", log.request_id.get() or "")
            status = grpc.StatusCode.OK
            try:
                return await work(message, context)
            except Exception as error:
                ended(span, error)
                status = status_of(error)
                raise
            finally:
                span.set_attribute("rpc.grpc.status_code", status.value[0])
                if status in OURS:
                    failed(span)

    return handle
