"""ModelInfer with its messages in the payload log, in the form that REST gives them."""

import time
from collections.abc import Callable
from typing import Any

import grpc

from mlneuron_runtime import log
from mlneuron_runtime.errors import Unauthorized
from mlneuron_runtime.payloads import LARGEST, Exchange, Payload, PayloadLog
from mlneuron_runtime.traffic.marks import answered_by
from mlneuron_runtime.transport.around import Around
from mlneuron_runtime.transport.binary import array_of
from mlneuron_runtime.transport.envelope import public
from mlneuron_runtime.transport.grpc import inference_pb2
from mlneuron_runtime.transport.grpc.around import StatusOf, Work
from mlneuron_runtime.transport.grpc.messages import FIELDS, value_of
from mlneuron_runtime.transport.wire import encode


def captured(work: Work, around: Around, payloads: PayloadLog, status_of: StatusOf) -> Work:
    """All but what callers without a token send."""

    async def handle(message: bytes, context: Any) -> bytes:
        if not payloads.takes():
            return await work(message, context)
        started = time.time()
        request, status = payload(message, request_json), grpc.StatusCode.OK
        try:
            answer = await work(message, context)
            response = payload(answer, response_json)
        except Unauthorized:
            raise
        except Exception as error:
            status, response = status_of(error), payload(refusal(error))
            payloads.offer(exchange(around, started, request, response, status))
            raise
        payloads.offer(exchange(around, started, request, response, status))
        return answer

    return handle


def payload(body: bytes, read: Callable[[bytes], Any] | None = None) -> Payload:
    return Payload(body if len(body) <= LARGEST else b"", len(body), read=read)


def exchange(around: Around, started: float, request: Payload, response: Payload, status: Any) -> Exchange:
    plane = around.plane
    served = plane.served
    return Exchange(
        id=log.request_id.get() or "", time=started, protocol="grpc", model=plane.config.model.name,
        version=answered_by.get() or ("" if served is None else served.version), request=request, response=response,
        status=status.name, failed=status is not grpc.StatusCode.OK,
        columns=None if served is None else served.model.signature.names,
        traceparent=around.passed_on().get("traceparent"),
    )  # fmt: skip


def refusal(error: Exception) -> bytes:
    """As REST tells it."""
    return encode({"error": public(error).message})


def request_json(message: bytes) -> dict[str, Any]:
    """A ModelInferRequest as the body that REST has for it."""
    given = inference_pb2.ModelInferRequest.FromString(message)
    parameters = {name: value_of(parameter) for name, parameter in given.parameters.items()}
    tensors = tensors_json(given.inputs, given.raw_input_contents)
    return {"id": given.id, "model_name": given.model_name, "parameters": parameters, "inputs": tensors}


def response_json(message: bytes) -> dict[str, Any]:
    """A ModelInferResponse in the same way."""
    told = inference_pb2.ModelInferResponse.FromString(message)
    tensors = tensors_json(told.outputs, told.raw_output_contents)
    return {"id": told.id, "model_name": told.model_name, "model_version": told.model_version, "outputs": tensors}


def tensors_json(tensors: Any, raw: Any) -> list[dict[str, Any]]:
    return [
        {
            "name": tensor.name,
            "shape": list(tensor.shape),
            "datatype": tensor.datatype,
            "data": values_of(tensor, raw[place] if raw else None),
        }
        for place, tensor in enumerate(tensors)
    ]


def values_of(tensor: Any, raw: bytes | None) -> list[Any]:
    """One after the other; texts where the tensor is of bytes."""
    if raw is not None:
        flat: list[Any] = array_of(raw, tensor.datatype, list(tensor.shape), tensor.name).ravel().tolist()
        return flat
    values = list(getattr(tensor.contents, FIELDS[tensor.datatype]))
    return [value.decode(errors="replace") if isinstance(value, bytes) else value for value in values]
