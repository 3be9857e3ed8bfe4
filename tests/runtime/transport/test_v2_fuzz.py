"""Whatever the bytes, the protocol's body parsers answer or refuse as documented, and never fail."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlneuron_runtime.tensors import DTYPES
from mlneuron_runtime.transport.around import Around
from mlneuron_runtime.transport.grpc import inference_pb2
from mlneuron_runtime.transport.grpc.server import start

from tests.runtime.conftest import Neuron, serving
from tests.runtime.support import call
from tests.runtime.transport.test_v2 import INFER, labelled

DOCUMENTED = {200, 400, 404, 413, 415, 504}
"""With a body of any content, which may ask for a `timeout`; what depends on the load is not among them."""

STATUSES = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}

MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
leaves = st.none() | numbers | st.text(max_size=5)
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
datatypes = st.sampled_from([*DTYPES, "FP8"]) | leaves
shapes = st.lists(st.integers(-1, 4), max_size=4) | st.just([2, 2]) | st.just([1, 2]) | anything
values = st.lists(numbers, max_size=8) | st.lists(st.lists(numbers, min_size=2, max_size=2), max_size=4) | anything
parameters = st.dictionaries(
    st.sampled_from(["binary_data_size", "binary_data", "binary_data_output", "timeout", "classification", "x"]),
    st.integers(-1, 40) | st.booleans() | anything,
    max_size=3,
)
tensors = st.fixed_dictionaries(
    {"name": st.just("x") | leaves, "datatype": datatypes, "shape": shapes},
    optional={"data": values, "parameters": parameters | anything},
)
outputs = st.fixed_dictionaries(
    {"name": st.sampled_from(["prediction", "probabilities", "y"])}, optional={"parameters": parameters}
)
requests = st.fixed_dictionaries(
    {"inputs": st.lists(tensors, max_size=2) | anything},
    optional={"id": leaves, "parameters": parameters | anything, "outputs": st.lists(outputs, max_size=2) | anything},
)
"""Requests that are nearly right, which reach deeper than bytes by chance."""


lengths = st.integers(-1, 250).map(str) | st.text("0123456789 -+_x", max_size=6)


class Loop:
    """A neuron on an event loop that waits between questions."""

    def __init__(self, runner: asyncio.Runner, neuron: Neuron, port: int) -> None:
        self.runner, self.neuron, self.port = runner, neuron, port

    def post(self, body: bytes, header: str | None = None) -> int:
        headers = {} if header is None else {"inference-header-content-length": header}
        return self.runner.run(call(self.neuron.app, "POST", INFER, body, headers)).status

    def infer(self, message: bytes) -> Any:
        async def ask() -> Any:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{self.port}") as channel:
                outcome = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")(message)
                return await outcome.code()

        return self.runner.run(ask())


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with asyncio.Runner() as runner:
        context = serving(labelled)
        neuron = runner.run(context.__aenter__())
        server = runner.run(start(neuron.plane, Around.of(neuron.plane), "127.0.0.1", 0))
        yield Loop(runner, neuron, server.port)
        runner.run(server.stop(0))
        runner.run(context.__aexit__(None, None, None))


def dumped(request: Any) -> bytes:
    return json.dumps(request).encode(errors="replace")


@MANY
@given(
    body=st.binary(max_size=200),
    header=st.none() | st.integers(-1, 250).map(str) | st.text("0123456789 -+_x", max_size=6),
)
def test_any_bytes_are_refused_as_documented(loop: Loop, body: bytes, header: str | None) -> None:
    assert loop.post(body, header) in DOCUMENTED


@MANY
@given(request=requests)
def test_any_json_is_answered_or_refused_as_documented(loop: Loop, request: Any) -> None:
    assert loop.post(dumped(request)) in DOCUMENTED


@MANY
@given(request=requests, raw=st.binary(max_size=64), off=st.sampled_from([0, 0, 0, -1, 1]))
def test_any_json_with_any_bytes_behind_is_answered_or_refused_as_documented(
    loop: Loop, request: Any, raw: bytes, off: int
) -> None:
    header = dumped(request)
    assert loop.post(header + raw, str(len(header) + off)) in DOCUMENTED


@MANY
@given(message=st.binary(max_size=200))
def test_any_message_is_refused_as_documented(loop: Loop, message: bytes) -> None:
    assert loop.infer(message) in STATUSES


int32s = st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4)
contents = st.fixed_dictionaries(
    {},
    optional={
        "bool_contents": st.lists(st.booleans(), max_size=4),
        "int_contents": int32s,
        "int64_contents": int32s,
        "uint_contents": st.lists(st.integers(0, 2**32 - 1), max_size=4),
        "fp32_contents": st.lists(st.floats(width=32), max_size=4),
        "fp64_contents": st.lists(st.floats(), max_size=4),
        "bytes_contents": st.lists(st.binary(max_size=3), max_size=4),
    },
)
messages = st.builds(
    inference_pb2.ModelInferRequest,
    model_name=st.just("churn"),
    id=st.text(st.characters(codec="utf-8"), max_size=3),
    inputs=st.lists(
        st.fixed_dictionaries(
            {
                "datatype": st.sampled_from([*DTYPES, "FP8"]),
                "shape": st.sampled_from([[2, 2], [1, 2], [4], [2, 1, 2], [0], [-2, -2], []]),
            },
            optional={"name": st.text(st.characters(codec="utf-8"), max_size=3), "contents": contents},
        ),
        max_size=2,
    ),
    outputs=st.lists(st.fixed_dictionaries({"name": st.sampled_from(["prediction", "y"])}), max_size=2),
    raw_input_contents=st.lists(st.binary(max_size=33) | st.binary(min_size=32, max_size=32), max_size=2),
    parameters=st.dictionaries(
        st.sampled_from(["timeout", "x"]), st.builds(inference_pb2.InferParameter, int64_param=st.integers(-1, 10**9))
    ),
)


@MANY
@given(message=messages)
def test_any_request_is_answered_or_refused_as_documented(loop: Loop, message: Any) -> None:
    assert loop.infer(message.SerializeToString()) in STATUSES
