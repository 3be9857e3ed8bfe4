"""Triton's clients work unchanged, over HTTP and gRPC."""

from collections.abc import Iterator
from queue import Queue
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from tests.clients.conftest import LABELS, ROWS
from tests.runtime.support import DEADLINE, Process

CLIENTS = {"http": tritonclient.http, "grpc": tritonclient.grpc}


@pytest.fixture(params=CLIENTS)
def library(request: pytest.FixtureRequest) -> ModuleType:
    chosen: ModuleType = CLIENTS[request.param]
    return chosen


@pytest.fixture
def client(library: ModuleType, server: Process) -> Iterator[Any]:
    port = server.port if library is tritonclient.http else server.grpc_port
    with library.InferenceServerClient(f"127.0.0.1:{port}") as connected:
        yield connected


def rows(library: ModuleType, datatype: str = "FP64", **how: bool) -> Any:
    values = np.array(ROWS, {"FP64": np.float64, "FP32": np.float32}[datatype])
    tensor = library.InferInput("anything", list(values.shape), datatype)
    tensor.set_data_from_numpy(values, **how)
    return tensor


def texts(values: Any) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else value for value in values.tolist()]


def test_it_finds_the_server_and_its_model_ready(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("churn")
    assert client.is_model_ready("churn", "1.0.0")


def test_it_reads_the_metadata(library: ModuleType, client: Any) -> None:
    how = {} if library is tritonclient.http else {"as_json": True}
    server, model = client.get_server_metadata(**how), client.get_model_metadata("churn", **how)
    assert server["name"] == "mlneuron-runtime"
    assert (model["name"], model["versions"]) == ("churn", ["1.0.0"])
    shapes = {tensor["name"]: [int(size) for size in tensor["shape"]] for tensor in model["inputs"] + model["outputs"]}
    assert shapes == {"features": [-1, 4], "prediction": [-1], "confidence": [-1], "probabilities": [-1, 3]}


def test_it_reads_the_repository_and_may_load_what_is_loaded(library: ModuleType, client: Any) -> None:
    index = client.get_model_repository_index()
    if library is tritonclient.http:
        assert index == [{"name": "churn", "version": "1.0.0", "state": "READY", "reason": ""}]
    else:
        assert [(model.name, model.state) for model in index.models] == [("churn", "READY")]
    client.load_model("churn")
    with pytest.raises(InferenceServerException, match=r"spec\.model"):
        client.unload_model("churn")


def test_it_infers_with_all_outputs(library: ModuleType, client: Any, probabilities: list[list[float]]) -> None:
    told = client.infer("churn", [rows(library)], request_id="mine", model_version="1.0.0")
    response = told.get_response()
    assert (response["id"] if library is tritonclient.http else response.id) == "mine"
    assert texts(told.as_numpy("prediction")) == LABELS
    assert told.as_numpy("probabilities").tolist() == probabilities
    assert told.as_numpy("confidence").tolist() == [max(row) for row in probabilities]


def test_it_infers_with_the_outputs_it_names(library: ModuleType, client: Any) -> None:
    told = client.infer("churn", [rows(library, "FP32")], outputs=[library.InferRequestedOutput("confidence")])
    assert told.as_numpy("confidence").shape == (2,)
    assert told.as_numpy("prediction") is None


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("back", [True, False])
def test_it_infers_in_json_or_bytes_each_way(
    server: Process, there: bool, back: bool, probabilities: list[list[float]]
) -> None:
    library = tritonclient.http
    wanted = [library.InferRequestedOutput(name, binary_data=back) for name in ("probabilities", "prediction")]
    with library.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        told = client.infer("churn", [rows(library, binary_data=there)], outputs=wanted)
    assert told.as_numpy("probabilities").tolist() == probabilities
    assert texts(told.as_numpy("prediction")) == LABELS


def test_it_infers_beside_itself_over_http(server: Process) -> None:
    library = tritonclient.http
    with library.InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=8) as client:
        asked = [client.async_infer("churn", [rows(library)]) for _ in range(32)]
        told = [one.get_result() for one in asked]
    assert [texts(one.as_numpy("prediction")) for one in told] == [LABELS] * 32


def test_it_infers_beside_itself_over_grpc(server: Process) -> None:
    library = tritonclient.grpc
    told: Queue[Any] = Queue()
    with library.InferenceServerClient(f"127.0.0.1:{server.grpc_port}") as client:
        for _ in range(32):
            client.async_infer("churn", [rows(library)], lambda result, error: told.put(error or result))
        answers = [told.get(timeout=DEADLINE) for _ in range(32)]
    assert [texts(one.as_numpy("prediction")) for one in answers] == [LABELS] * 32


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [("other", "", "available: churn"), ("churn", "2", "available: primary, latest, 1.0.0")],
)
def test_it_raises_what_the_server_says(
    library: ModuleType, client: Any, name: str, version: str, message: str
) -> None:
    with pytest.raises(InferenceServerException, match=message) as error:
        client.infer(name, [rows(library)], model_version=version)
    assert error.value.status() in ("404", "StatusCode.NOT_FOUND")


def test_it_is_told_what_is_wrong_with_its_input(library: ModuleType, client: Any) -> None:
    tensor = library.InferInput("x", [1, 3], "FP64")
    tensor.set_data_from_numpy(np.zeros((1, 3)))
    with pytest.raises(InferenceServerException, match=r"x has the shape \[1, 3\]"):
        client.infer("churn", [tensor])
