"""Whether every row gets its own answer: distinct rows from many connections at once, each compared with the model."""

# gRPC and what is generated for it have no types.
# mypy: disable-error-code="import-untyped"

import http.client
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from bench.serving.models import Model
from bench.serving.protocols import Protocol, Rows

CONNECTIONS = 32
TIMEOUT = 60.0

Ask = Callable[[Rows], list[float]]
"""Rows to classes over one connection; raises ERRORS."""


ERRORS = (OSError, ValueError, LookupError, http.client.HTTPException, grpc.RpcError)
"""What a question may raise."""


def told(error: Exception) -> str:
    """An error in one line."""
    return str(error.details() if isinstance(error, grpc.RpcError) else error)[:300]


def wrong_answers(model: Model, connect: Callable[[], Ask]) -> int:
    """How many of the model's inputs got another class than the model gives, or none."""
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        shares = np.array_split(np.arange(len(model.inputs)), CONNECTIONS)
        return sum(threads.map(lambda share: _wrong(model, connect(), share.tolist()), shares))


def _wrong(model: Model, ask: Ask, share: list[int]) -> int:
    wrong = 0
    for index in share:
        try:
            wrong += ask(model.inputs[index : index + 1]) != [model.answers[index, 0]]
        except ERRORS:
            wrong += 1
    return wrong


def over_http(port: int, model: str, protocol: Protocol) -> Ask:
    """A keep-alive connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)

    def ask(rows: Rows) -> list[float]:
        try:
            connection.request("POST", protocol.path.format(model=model), protocol.body(rows), protocol.headers(rows))
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        if answer.status != 200:
            raise ValueError(f"HTTP {answer.status}: {content[:200]!r}")
        return protocol.read(content)

    return ask


def message(model: str, rows: Rows) -> bytes:
    """A ModelInferRequest with typed contents."""
    request = service_pb2.ModelInferRequest(model_name=model)
    tensor = request.inputs.add(name="input-0", datatype="FP64", shape=rows.shape)
    tensor.contents.fp64_contents.extend(rows.ravel().tolist())
    return bytes(request.SerializeToString())


@contextmanager
def channel(port: int) -> Iterator[grpc.Channel]:
    """A gRPC connection that no other channel shares."""
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)]) as opened:
        yield opened


def over_grpc(opened: grpc.Channel, model: str) -> Ask:
    """Calls over a channel."""
    stub = service_pb2_grpc.GRPCInferenceServiceStub(opened)

    def ask(rows: Rows) -> list[float]:
        request = service_pb2.ModelInferRequest.FromString(message(model, rows))
        answer = stub.ModelInfer(request, timeout=TIMEOUT)
        return _classes(answer)

    return ask


def answer_bytes(opened: grpc.Channel, model: str, rows: Rows) -> int:
    """How long the message of a good answer is."""
    request = service_pb2.ModelInferRequest.FromString(message(model, rows))
    return int(service_pb2_grpc.GRPCInferenceServiceStub(opened).ModelInfer(request, timeout=TIMEOUT).ByteSize())


def _classes(answer: service_pb2.ModelInferResponse) -> list[float]:
    output = answer.outputs[0]
    if answer.raw_output_contents:
        kinds = {"INT64": np.int64, "INT32": np.int32, "FP64": np.float64, "FP32": np.float32}
        return [float(value) for value in np.frombuffer(answer.raw_output_contents[0], kinds[output.datatype])]
    contents = output.contents
    values = contents.int64_contents or contents.int_contents or contents.fp64_contents or contents.fp32_contents
    return [float(value) for value in values]
