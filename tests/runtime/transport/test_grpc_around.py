"""Tokens, payloads and traces of gRPC's ModelInfer, through a real channel."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest
from mlneuron_runtime.signature import Matrix
from mlneuron_runtime.transport.around import Around
from mlneuron_runtime.transport.grpc import inference_pb2
from mlneuron_runtime.transport.grpc.server import start

from tests.runtime.conftest import Neuron, serving
from tests.runtime.otlp_receiver import otlp_receiver
from tests.runtime.payload_sink import payload_sink
from tests.runtime.support import until

METHOD = "/inference.GRPCInferenceService/ModelInfer"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@asynccontextmanager
async def channel(**changes: Any) -> AsyncIterator[tuple[Neuron, Any]]:
    """A neuron whose gRPC port listens, and ModelInfer as a call."""
    async with serving(serving=changes) as neuron:
        around = Around.of(neuron.plane)
        server = await start(neuron.plane, around, "127.0.0.1", 0)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as connected:
            yield (
                neuron,
                connected.unary_unary(
                    METHOD,
                    request_serializer=inference_pb2.ModelInferRequest.SerializeToString,
                    response_deserializer=inference_pb2.ModelInferResponse.FromString,
                ),
            )
        await server.stop(0)
        for closing in (around.payloads, around.tracing):
            if closing is not None:
                closing.close()


def asked(values: list[float], raw: bool = False) -> Any:
    message = inference_pb2.ModelInferRequest(model_name="churn", id="x")
    tensor = message.inputs.add(name="features", datatype="FP64", shape=[len(values) // 2, 2])
    if raw:
        message.raw_input_contents.append(np.array(values, float).tobytes())
    else:
        tensor.contents.fp64_contents.extend(values)
    return message


async def test_a_call_needs_an_accepted_token(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("good")
    with payload_sink() as sink:
        async with channel(tokenFile=str(tmp_path / "tokens"), payloadLog={"url": sink.url}) as (_, infer):
            await infer(asked([1, 2]), metadata=[("authorization", "Bearer good")])
            for metadata in ([], [("authorization", "Bearer bad")]):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await infer(asked([1, 2]), metadata=metadata)
                assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert len(sink.posted) == 2


@pytest.mark.parametrize("raw", [False, True])
async def test_payloads_have_the_form_that_rest_gives_them(raw: bool) -> None:
    with payload_sink() as sink:
        async with channel(payloadLog={"url": sink.url, "redact": ["age"]}) as (neuron, infer):
            assert neuron.plane.served is not None
            neuron.plane.served.model.signature = Matrix(2, ("age", "income"))  # type: ignore[misc]
            await infer(asked([41, 2, 42, 3], raw), metadata=[("x-request-id", "r-1")])
            await until(lambda: len(sink.posted) == 2)
    request, response = sink.posted
    assert request.json == {
        "id": "x", "model_name": "churn", "parameters": {},
        "inputs": [{"name": "features", "shape": [2, 2], "datatype": "FP64", "data": [None, 2.0, None, 3.0]}],
    }  # fmt: skip
    assert response.json["outputs"] == [
        {"name": "prediction", "shape": [2], "datatype": "FP64", "data": [43.0, 45.0]},
    ]
    assert (response.headers["ce-id"], response.headers["ce-protocol"]) == ("r-1", "grpc")
    assert response.headers["ce-status"] == "OK"


async def test_a_refused_call_is_logged_as_it_is_told() -> None:
    with payload_sink() as sink:
        async with channel(payloadLog={"url": sink.url}) as (_, infer):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await infer(inference_pb2.ModelInferRequest(model_name="churn"))
            await until(lambda: len(sink.posted) == 2)
    assert sink.posted[1].headers["ce-status"] == "INVALID_ARGUMENT"
    assert sink.posted[1].json == {"error": refused.value.details()}


async def test_calls_are_spans_in_the_callers_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    with otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        async with channel() as (_, infer):
            await infer(asked([1, 2]), metadata=[("traceparent", TRACEPARENT)])
            with pytest.raises(grpc.aio.AioRpcError):
                await infer(inference_pb2.ModelInferRequest(model_name="other"))
        good, bad = receiver.named("inference.GRPCInferenceService/ModelInfer")
        (model,) = receiver.named("model")
    assert (good.trace, good.parent) == tuple(TRACEPARENT.split("-")[1:3])
    assert model.parent == good.id
    assert (good.attributes["rpc.grpc.status_code"], good.attributes["mlneuron.rows"]) == (0, 1)
    assert (bad.attributes["rpc.grpc.status_code"], bad.attributes["error.type"]) == (5, "UnknownModel")
