"""One data plane under all transports: the same rows have the same answers, and every caller gets its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import grpc.aio
import joblib
import numpy as np
import pytest
import xgboost
from mlneuron_runtime.tensors import DTYPES, Array
from mlneuron_runtime.transport.grpc import inference_pb2
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression

from tests.runtime.support import DEADLINE, Process, config_for, serving

INFER = "/inference.GRPCInferenceService/ModelInfer"

Answers = list[tuple[Any, float | None]]
"""Prediction and confidence a row; the confidence is None where the transport or the model tells none."""

Ask = Callable[["Client", Array], Awaitable[Answers]]


class Client:
    """One connection of each kind."""

    def __init__(self, process: Process) -> None:
        self.url = process.url
        self.http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE))
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{process.grpc_port}", options=options)
        self.infer = self.channel.unary_unary(
            INFER,
            request_serializer=inference_pb2.ModelInferRequest.SerializeToString,
            response_deserializer=inference_pb2.ModelInferResponse.FromString,
        )

    async def close(self) -> None:
        await self.http.close()
        await self.channel.close()

    async def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> tuple[bytes, Any]:
        sent = {"content-type": "application/json", **(headers or {})}
        async with self.http.post(f"{self.url}/{path}", data=body, headers=sent) as reply:
            content = await reply.read()
            assert reply.status == 200, content
            return content, reply.headers

    async def json(self, path: str, content: object) -> Any:
        return json.loads((await self.post(path, json.dumps(content).encode()))[0])


async def guide_rows(client: Client, rows: Array) -> Answers:
    told = [await client.json("predict", {"features": row}) for row in rows.tolist()]
    return [(answer["prediction"], answer["confidence"]) for answer in told]


async def guide_batch(client: Client, rows: Array) -> Answers:
    told = await client.json("batch_predict", {"batch_features": rows.tolist()})
    return [(answer["prediction"], answer["confidence"]) for answer in told["predictions"]]


async def v1(client: Client, rows: Array) -> Answers:
    told = await client.json("v1/models/churn:predict", {"instances": rows.tolist()})
    return [(value, None) for value in told["predictions"]]


async def v2_json(client: Client, rows: Array) -> Answers:
    tensor = {"name": "x", "datatype": "FP64", "shape": rows.shape, "data": rows.ravel().tolist()}
    told = await client.json("v2/models/churn/infer", {"inputs": [tensor]})
    return paired({output["name"]: output["data"] for output in told["outputs"]})


async def v2_binary(client: Client, rows: Array) -> Answers:
    raw = rows.tobytes()
    tensor = {"name": "x", "datatype": "FP64", "shape": rows.shape, "parameters": {"binary_data_size": len(raw)}}
    header = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    sent = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(header))}
    content, headers = await client.post("v2/models/churn/versions/1.0.0/infer", header + raw, sent)
    start = int(headers["inference-header-content-length"])
    found = {}
    for output in json.loads(content[:start])["outputs"]:
        stop = start + output["parameters"]["binary_data_size"]
        found[output["name"]] = read(content[start:stop], output["datatype"])
        start = stop
    return paired(found)


def message(rows: Array) -> Any:
    asked = inference_pb2.ModelInferRequest(model_name="churn")
    asked.inputs.add(name="x", datatype="FP64", shape=rows.shape)
    return asked


async def grpc_typed(client: Client, rows: Array) -> Answers:
    asked = message(rows)
    asked.inputs[0].contents.fp64_contents.extend(rows.ravel().tolist())
    found = {}
    for output in (await client.infer(asked)).outputs:
        ((_, values),) = output.contents.ListFields()
        found[output.name] = [value.decode() if isinstance(value, bytes) else value for value in values]
    return paired(found)


async def grpc_raw(client: Client, rows: Array) -> Answers:
    asked = message(rows)
    asked.raw_input_contents.append(rows.tobytes())
    told = await client.infer(asked)
    contents = zip(told.outputs, told.raw_output_contents, strict=True)
    return paired({output.name: read(raw, output.datatype) for output, raw in contents})


def read(raw: bytes, datatype: str) -> list[Any]:
    """A tensor's bytes as Python's own values."""
    if datatype != "BYTES":
        values: list[Any] = np.frombuffer(raw, DTYPES[datatype]).tolist()
        return values
    texts = []
    while raw:
        stop = 4 + int.from_bytes(raw[:4], "little")
        texts.append(raw[4:stop].decode())
        raw = raw[stop:]
    return texts


def paired(outputs: dict[str, list[Any]]) -> Answers:
    predictions = outputs["prediction"]
    return list(zip(predictions, outputs.get("confidence", [None] * len(predictions)), strict=True))


BATCHES: dict[str, Ask] = {ask.__name__: ask for ask in (guide_batch, v1, v2_json, v2_binary, grpc_typed, grpc_raw)}
TRANSPORTS: dict[str, Ask] = {"guide_rows": guide_rows, **BATCHES}


def boosted(folder: Path) -> Path:
    """A classifier that computes in 32 bits."""
    data = load_iris()
    path = folder / "boosted.ubj"
    labels = {"objective": "multi:softprob", "num_class": 3}
    xgboost.train(labels, xgboost.DMatrix(data.data, data.target), 5).save_model(path)
    return path


@pytest.fixture(scope="module", params=["labels", "boosted"])
def classifier(
    request: pytest.FixtureRequest, iris: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("agree")
    path, framework = (iris, "sklearn") if request.param == "labels" else (boosted(folder), "xgboost")
    with serving(folder, config_for(path, framework)) as process:
        yield process


@pytest.fixture(scope="module")
def weighing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The first feature and a thousand times the second, so that an answer tells which row it is for."""
    folder = tmp_path_factory.mktemp("weighing")
    model = LinearRegression()
    model.coef_, model.intercept_, model.n_features_in_ = np.array([1.0, 1000.0]), 0.0, 2
    joblib.dump(model, folder / "m.joblib")
    with serving(folder, config_for(folder / "m.joblib")) as process:
        yield process


@pytest.fixture
async def client(classifier: Process) -> AsyncIterator[Client]:
    connected = Client(classifier)
    yield connected
    await connected.close()


def same(answers: Answers, expected: Answers) -> bool:
    """To the last bit, where both tell."""
    told = zip(expected, answers, strict=True)
    return answers == [(value, None if other is None else one) for (value, one), (_, other) in told]


async def test_one_row_has_the_same_answer_through_every_transport(client: Client) -> None:
    for row in load_iris().data[::10]:
        rows = row.reshape(1, -1)
        expected = await guide_rows(client, rows)
        for name, ask in BATCHES.items():
            answers = await ask(client, rows)
            assert same(answers, expected), name


async def test_many_rows_have_the_same_answers_through_every_transport(client: Client) -> None:
    rows = load_iris().data
    expected = await guide_batch(client, rows)
    assert len({value for value, _ in expected}) == 3
    assert all(confidence is not None for _, confidence in expected)
    for name, ask in BATCHES.items():
        answers = await ask(client, rows)
        assert same(answers, expected), name


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_each_of_2000_inputs_from_32_connections_has_its_own_answer(weighing: Process, transport: str) -> None:
    ask = TRANSPORTS[transport]
    numbers = iter(range(2000))
    answers: dict[int, Any] = {}

    async def caller() -> None:
        client = Client(weighing)
        for number in numbers:
            ((value, _),) = await ask(client, np.array([[float(number), 2.0 * number]]))
            answers[number] = value
        await client.close()

    await asyncio.gather(*(caller() for _ in range(32)))
    assert answers == {number: 2001.0 * number for number in range(2000)}
