"""The Open Inference Protocol over gRPC, through a real channel to a server in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest
from mlneuron_runtime import tallies
from mlneuron_runtime.failure import Fatal
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.tensors import Inputs
from mlneuron_runtime.transport.around import Around
from mlneuron_runtime.transport.grpc import health_pb2, inference_pb2
from mlneuron_runtime.transport.grpc.server import start

from tests.runtime.conftest import Neuron, counts, serving, summing
from tests.runtime.odd_models import BLOCK, NOT_FINITE, POISON, Gate
from tests.runtime.support import until
from tests.runtime.transport.test_v2 import labelled

SERVICE = "/inference.GRPCInferenceService/"
VALUES = [1.0, 2.0, 3.0, 4.5]

Status = grpc.StatusCode


class Client:
    """Calls by a method's name."""

    def __init__(self, channel: Any, neuron: Neuron, port: int) -> None:
        self.channel, self.neuron, self.port = channel, neuron, port

    def call(self, method: str, message: Any, **options: Any) -> Any:
        """A message, or bytes as they are; the answer is parsed."""
        full = method if method.startswith("/") else SERVICE + method
        response = method.rpartition("/")[2] + "Response"
        stub = self.channel.unary_unary(
            full, response_deserializer=getattr(inference_pb2, response, inference_pb2.ModelInferResponse).FromString
        )
        return stub(message if isinstance(message, bytes) else message.SerializeToString(), **options)

    async def refusal(self, method: str, message: Any, **options: Any) -> tuple[Any, str]:
        """The status and message that a call ends with."""
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await self.call(method, message, **options)
        return error.value.code(), error.value.details()


@asynccontextmanager
async def client(answer: Callable[[Inputs], Prediction] = summing, **changes: Any) -> AsyncIterator[Client]:
    async with serving(answer, **changes) as neuron:
        server = await start(neuron.plane, Around.of(neuron.plane), "127.0.0.1", 0)
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                yield Client(channel, neuron, server.port)
        finally:
            await server.stop(0)


@pytest.fixture
async def summer() -> AsyncIterator[Client]:
    """Of a neuron that sums rows of two numbers."""
    async with client() as connected:
        yield connected


def asked(datatype: str = "FP64", shape: tuple[int, ...] = (2, 2), raw: bytes | None = None, **more: Any) -> Any:
    """A request with one input; `more` are its contents, and fields of the message."""
    contents = {field: more.pop(field) for field in list(more) if field.endswith("_contents")}
    message = inference_pb2.ModelInferRequest(**{"model_name": "churn", **more})
    message.inputs.add(name="x", datatype=datatype, shape=shape)
    if raw is not None:
        message.raw_input_contents.append(raw)
    for field, values in contents.items():
        getattr(message.inputs[0].contents, field).extend(values)
    return message


async def test_typed_contents_are_answered_with_typed_contents(summer: Client) -> None:
    told = await summer.call("ModelInfer", asked(fp64_contents=VALUES, id="a"))
    assert (told.model_name, told.model_version, told.id) == ("churn", "1.0.0", "a")
    (output,) = told.outputs
    assert (output.name, output.datatype, list(output.shape)) == ("prediction", "FP64", [2])
    assert list(output.contents.fp64_contents) == [3.0, 7.5]
    assert not told.raw_output_contents
    assert counts(summer.neuron) == (1, 1, 0)
    assert summer.neuron.plane.counted().count(tallies.PROTOCOL["grpc"]) == 1


async def test_bytes_are_answered_with_bytes(summer: Client) -> None:
    told = await summer.call("ModelInfer", asked("FP32", raw=np.array(VALUES, np.float32).tobytes()))
    assert np.frombuffer(told.raw_output_contents[0]).tolist() == [3.0, 7.5]
    assert not told.outputs[0].HasField("contents")


@pytest.mark.parametrize(
    ("datatype", "field", "values"),
    [
        ("FP32", "fp32_contents", VALUES),
        ("INT8", "int_contents", [1, -128, 127, 0]),
        ("INT16", "int_contents", [1, -(2**15), 3, 4]),
        ("INT32", "int_contents", [1, 2**31 - 1, 3, 4]),
        ("INT64", "int64_contents", [1, 2**40, 3, 4]),
        ("UINT8", "uint_contents", [1, 255, 3, 4]),
        ("UINT16", "uint_contents", [1, 65535, 3, 4]),
        ("UINT32", "uint_contents", [1, 2**32 - 1, 3, 4]),
        ("UINT64", "uint64_contents", [1, 2**50, 3, 4]),
        ("BOOL", "bool_contents", [True, False, True, True]),
    ],
)
async def test_every_datatype_has_its_contents(summer: Client, datatype: str, field: str, values: list[Any]) -> None:
    contents: dict[str, Any] = {field: values}
    told = await summer.call("ModelInfer", asked(datatype, **contents))
    wanted = np.array(values, float).reshape(2, 2).sum(axis=1)
    assert list(told.outputs[0].contents.fp64_contents) == wanted.tolist()


async def test_outputs_come_as_asked_for_in_every_form() -> None:
    async with client(labelled) as connected:
        message = asked(fp64_contents=VALUES, outputs=[{"name": "probabilities"}, {"name": "prediction"}])
        told = await connected.call("ModelInfer", message)
        assert [output.name for output in told.outputs] == ["probabilities", "prediction"]
        assert list(told.outputs[0].contents.fp32_contents) == [3.0, -3.0, 7.5, -7.5]
        assert list(told.outputs[1].contents.bytes_contents) == [b"low", "hoch Ü".encode()]
        message = asked(raw=np.array(VALUES).tobytes())
        texts, confidence, _ = (await connected.call("ModelInfer", message)).raw_output_contents
        assert texts == b"\3\0\0\0low" + b"\7\0\0\0" + "hoch Ü".encode()
        assert np.frombuffer(confidence).tolist() == [3.0, 7.5]


async def test_what_has_no_contents_is_answered_with_bytes() -> None:
    async with client(lambda rows: Prediction(rows[0].sum(axis=1).astype(np.float16))) as connected:
        told = await connected.call("ModelInfer", asked(fp64_contents=VALUES))
        assert told.outputs[0].datatype == "FP16"
        assert np.frombuffer(told.raw_output_contents[0], np.float16).tolist() == [3.0, 7.5]


RAW = np.array(VALUES).tobytes()


@pytest.mark.parametrize(
    ("message", "status", "told"),
    [
        (b"\xff\xff", Status.INVALID_ARGUMENT, "the message is no ModelInferRequest"),
        (asked(model_name="other", raw=RAW), Status.NOT_FOUND, "available: churn"),
        (asked(model_version="2", raw=RAW), Status.NOT_FOUND, "available: primary, latest, 1.0.0"),
        (
            inference_pb2.ModelInferRequest(model_name="churn"),
            Status.INVALID_ARGUMENT,
            "inputs is empty; send a tensor",
        ),
        (asked(), Status.INVALID_ARGUMENT, "inputs[0].contents.fp64_contents has 0 values"),
        (asked(fp32_contents=VALUES), Status.INVALID_ARGUMENT, "inputs[0].contents.fp64_contents has 0 values"),
        (asked("FP16", fp32_contents=VALUES), Status.INVALID_ARGUMENT, "send raw_input_contents"),
        (asked("FP8", raw=RAW), Status.INVALID_ARGUMENT, "inputs[0].datatype is unknown; send one of BOOL"),
        (asked(raw=RAW[1:]), Status.INVALID_ARGUMENT, "raw_input_contents[0] has 31 bytes; FP64 of the shape [2, 2]"),
        (asked(raw=RAW, fp64_contents=VALUES), Status.INVALID_ARGUMENT, "has contents and raw_input_contents"),
        (asked(shape=(2, -2), raw=RAW), Status.INVALID_ARGUMENT, "inputs[0].shape holds what is no size"),
        (asked(shape=(4,), raw=RAW), Status.INVALID_ARGUMENT, "x has the shape [4]"),
        (asked("INT8", int_contents=[1, 2, 3, 128]), Status.INVALID_ARGUMENT, "contents.int_contents[3] is no INT8"),
        (asked("BYTES", bytes_contents=[b"\xff"] * 4), Status.INVALID_ARGUMENT, "bytes_contents[0] is not UTF-8"),
        (asked(raw=np.full(4, np.inf).tobytes()), Status.INVALID_ARGUMENT, "out of range"),
        (
            asked(raw=RAW, outputs=[{"name": "y"}]),
            Status.INVALID_ARGUMENT,
            "outputs[0].name is no output of this model",
        ),
        (
            asked(shape=(10_001, 2), raw=RAW * 5000 + RAW[:16]),
            Status.INVALID_ARGUMENT,
            "10001 rows; send at most 10000",
        ),
        (asked(fp64_contents=[1, 2, POISON, 4]), Status.INTERNAL, "the model failed on this input"),
        (asked(fp64_contents=[1, 2, NOT_FINITE, 4]), Status.INTERNAL, "the model failed on this input"),
        (asked(raw=RAW, parameters={"timeout": {"int64_param": -1}}), Status.INVALID_ARGUMENT, "parameters.timeout"),
    ],
    ids=lambda _: "",
)
async def test_a_bad_request_is_told_its_field_and_mend(summer: Client, message: Any, status: Any, told: str) -> None:
    code, details = await summer.refusal("ModelInfer", message)
    assert (code, told in details) == (status, True), details
    server_fault = int(status is Status.INTERNAL)
    assert counts(summer.neuron) == (1, 0, server_fault)


async def test_more_entries_than_inputs_are_refused(summer: Client) -> None:
    message = asked(raw=RAW)
    message.raw_input_contents.append(RAW)
    code, details = await summer.refusal("ModelInfer", message)
    assert (code, "2 entries for 1 inputs" in details) == (Status.INVALID_ARGUMENT, True)


async def test_a_message_larger_than_the_bound_is_refused() -> None:
    async with client(serving={"maxBodyBytes": 1000}) as connected:
        message = asked(shape=(100, 2), raw=bytes(1600))
        assert (await connected.refusal("ModelInfer", message))[0] is Status.RESOURCE_EXHAUSTED
        assert (await connected.call("ModelInfer", asked(raw=RAW))).model_name == "churn"


async def test_large_messages_are_answered_as_small_ones(summer: Client) -> None:
    values = np.random.default_rng(1).uniform(size=(9000, 2))
    message = asked(shape=values.shape, fp64_contents=values.ravel().tolist())
    told = await summer.call("ModelInfer", message)
    assert list(told.outputs[0].contents.fp64_contents) == values.sum(axis=1).tolist()


async def test_a_long_name_in_a_message_still_fits_a_header(summer: Client) -> None:
    message = asked(shape=(4,), raw=RAW)
    message.inputs[0].name = "n" * 100_000
    code, details = await summer.refusal("ModelInfer", message)
    assert (code, len(details)) == (Status.INVALID_ARGUMENT, 1000)


async def test_ids_come_back_in_the_trailing_metadata(summer: Client) -> None:
    call = summer.call("ModelInfer", asked(raw=RAW), metadata=(("x-request-id", "mine-1"),))
    await call
    assert ("x-request-id", "mine-1") in tuple(await call.trailing_metadata())
    call = summer.call("ModelInfer", asked(raw=RAW[1:]), metadata=(("x-request-id", "not mine!"),))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    (given,) = [value for key, value in error.value.trailing_metadata() if key == "x-request-id"]
    assert given not in ("", "not mine!")


async def test_the_callers_deadline_ends_the_wait() -> None:
    gate = Gate(summing)
    async with client(gate) as connected:
        stuck = asyncio.ensure_future(connected.call("ModelInfer", asked(fp64_contents=[BLOCK, 1, 1, 1])))
        await until(gate.entered.is_set)
        code, _ = await connected.refusal("ModelInfer", asked(raw=RAW), timeout=0.05)
        assert code is Status.DEADLINE_EXCEEDED
        gate.opened.set()
        await stuck
        await until(lambda: connected.neuron.plane.in_flight == 0)


async def test_the_servers_own_deadline_is_told_as_such() -> None:
    gate = Gate(summing)
    async with client(gate, serving={"timeoutSeconds": 0.05}) as connected:
        code, details = await connected.refusal("ModelInfer", asked(fp64_contents=[BLOCK, 1, 1, 1]))
        assert (code, "serving.timeoutSeconds" in details) == (Status.DEADLINE_EXCEEDED, True)
        gate.opened.set()


async def test_a_full_queue_is_unavailable() -> None:
    gate = Gate(summing)
    async with client(gate, batching={"maxQueue": 1}) as connected:
        stuck = [asyncio.ensure_future(connected.call("ModelInfer", asked(fp64_contents=[BLOCK, 1, 1, 1])))]
        await until(gate.entered.is_set)
        stuck.append(asyncio.ensure_future(connected.call("ModelInfer", asked(raw=RAW))))
        await until(lambda: connected.neuron.plane.queue_depth == 1)
        code, details = await connected.refusal("ModelInfer", asked(raw=RAW))
        assert (code, "send it again later" in details) == (Status.UNAVAILABLE, True)
        gate.opened.set()
        await asyncio.gather(*stuck)


async def test_health_and_metadata_are_those_of_rest(summer: Client) -> None:
    assert (await summer.call("ServerLive", b"")).live
    assert (await summer.call("ServerReady", b"")).ready
    assert (await summer.call("ModelReady", inference_pb2.ModelReadyRequest(name="churn"))).ready
    server = await summer.call("ServerMetadata", b"")
    assert (server.name, "binary_tensor_data" in server.extensions) == ("mlneuron-runtime", True)
    model = await summer.call("ModelMetadata", inference_pb2.ModelMetadataRequest(name="churn", version="1.0.0"))
    assert (model.name, list(model.versions), model.platform) == ("churn", ["1.0.0"], "sklearn_summing")
    assert [(spec.name, spec.datatype, list(spec.shape)) for spec in model.inputs] == [("features", "FP64", [-1, 2])]
    for method in ("ModelReady", "ModelMetadata"):
        request = getattr(inference_pb2, f"{method}Request")(name="other")
        assert (await summer.refusal(method, request))[0] is Status.NOT_FOUND


async def test_the_repository_is_told_and_not_changed(summer: Client) -> None:
    (model,) = (await summer.call("RepositoryIndex", b"")).models
    assert (model.name, model.version, model.state) == ("churn", "1.0.0", "READY")
    for name in ({"model_name": "churn"}, {"repository_name": "churn"}):  # where Triton's clients put it, and KServe's
        told = await summer.call("RepositoryModelLoad", inference_pb2.RepositoryModelLoadRequest(**name))
        assert (told.model_name, told.isLoaded) == ("churn", True)
        request = inference_pb2.RepositoryModelUnloadRequest(**name)
        assert (await summer.refusal("RepositoryModelUnload", request))[0] is Status.UNIMPLEMENTED
    assert (await summer.refusal("RepositoryModelLoad", b""))[0] is Status.NOT_FOUND
    assert (await summer.refusal("ModelStatistics", b""))[0] is Status.UNIMPLEMENTED


async def test_a_draining_server_says_no_and_answers_all_the_same(summer: Client) -> None:
    summer.neuron.plane.draining = True
    assert not (await summer.call("ServerReady", b"")).ready
    assert not (await summer.call("ModelReady", inference_pb2.ModelReadyRequest(name="churn"))).ready
    assert await health(summer, "") == health_pb2.HealthCheckResponse.NOT_SERVING
    assert (await summer.call("ModelInfer", asked(raw=RAW))).model_name == "churn"


async def test_without_a_model_it_is_unavailable() -> None:
    async with client() as connected:
        connected.neuron.plane._served = None
        assert (await connected.call("ServerLive", b"")).live
        assert not (await connected.call("ServerReady", b"")).ready
        assert (await connected.refusal("ModelInfer", asked(raw=RAW)))[0] is Status.UNAVAILABLE


async def health(connected: Client, service: str) -> Any:
    check = connected.channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    return (await check(health_pb2.HealthCheckRequest(service=service))).status


async def test_grpcs_own_health_checks_are_answered(summer: Client) -> None:
    for service in ("", "inference.GRPCInferenceService"):
        assert await health(summer, service) == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await health(summer, "other")
    assert error.value.code() is Status.NOT_FOUND


async def test_a_port_that_is_taken_is_told(summer: Client) -> None:
    plane = summer.neuron.plane
    with pytest.raises(Fatal, match=f"port {summer.port} on 127.0.0.1 cannot be used for gRPC"):
        await start(plane, Around.of(plane), "127.0.0.1", summer.port)
