"""The Open Inference Protocol over REST, in this process: paths, answers and errors."""

import json
from typing import Any

import numpy as np
import pytest
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.tensors import Inputs

from tests.runtime.conftest import Neuron, counts, serving
from tests.runtime.odd_models import NOT_FINITE, POISON
from tests.runtime.support import Reply, call, post

INFER = "/v2/models/churn/infer"


def tensor(data: object, datatype: str = "FP64", shape: list[int] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": "x", "datatype": datatype, "shape": [2, 2] if shape is None else shape, "data": data, **more}


def inputs(*tensors: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"inputs": list(tensors), **more}


def labelled(rows: Inputs) -> Prediction:
    """A text, its confidence and probabilities of 32 bits a row."""
    (values,) = rows
    sums = values.sum(axis=1)
    texts = np.array(["low" if total < 5 else "hoch Ü" for total in sums], object)
    probabilities = np.stack([sums, -sums], axis=1).astype(np.float32)
    return Prediction(texts, np.abs(sums), {"probabilities": probabilities})


@pytest.mark.parametrize(
    ("path", "status", "content"),
    [
        ("/v2/health/live", 200, {"live": True}),
        ("/v2/health/ready", 200, {"ready": True}),
        ("/v2/models", 200, {"models": ["churn"]}),
        ("/v2/models/churn/ready", 200, {"name": "churn", "ready": True}),
        ("/v2/models/churn/versions/1.0.0/ready", 200, {"name": "churn", "ready": True}),
        ("/v2/models/churn/versions/latest/ready", 200, {"name": "churn", "ready": True}),
        ("/v2/models/other", 404, {"error": "no model of this name is served here; available: churn"}),
        ("/v2/models/churn/versions/2/ready", 404, None),
        ("/v2/models/churn/sing", 404, None),
        ("/v2/models//ready", 404, None),
        ("/v2/models/churn/versions//ready", 404, None),
        ("/v2/other", 404, None),
    ],
)
async def test_what_is_served_is_told_by_path(neuron: Neuron, path: str, status: int, content: object) -> None:
    reply = await call(neuron.app, "GET", path)
    assert reply.status == status
    assert reply.json == content or (content is None and set(reply.json) == {"error"})
    assert (await call(neuron.app, "HEAD", path)).status == status


async def test_the_server_tells_its_extensions(neuron: Neuron) -> None:
    told = (await call(neuron.app, "GET", "/v2")).json
    assert (told["name"], set(told)) == ("mlneuron-runtime", {"name", "version", "extensions"})
    assert {"binary_tensor_data", "model_repository"} <= set(told["extensions"])


@pytest.mark.parametrize("path", ["/v2/models/churn", "/v2/models/churn/versions/1.0.0"])
async def test_metadata_comes_from_the_models_signature(neuron: Neuron, path: str) -> None:
    assert (await call(neuron.app, "GET", path)).json == {
        "name": "churn",
        "versions": ["1.0.0"],
        "platform": "sklearn_summing",
        "inputs": [{"name": "features", "datatype": "FP64", "shape": [-1, 2]}],
        "outputs": [],
    }


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [(INFER, "GET", "POST"), ("/v2/models/churn", "POST", "GET, HEAD"), ("/v2/health/live", "POST", "GET")],
)
async def test_another_method_is_refused_with_the_one_to_use(
    neuron: Neuron, path: str, method: str, allowed: str
) -> None:
    reply = await call(neuron.app, method, path)
    assert reply.status == 405
    assert allowed in reply.headers["allow"]


async def test_until_a_model_is_there_nothing_is_ready_and_the_index_says_loading() -> None:
    async with serving() as neuron:
        neuron.plane._served = None
        for path in ("/v2/health/ready", "/v2/models/churn/ready", "/v2/models/churn"):
            assert (await call(neuron.app, "GET", path)).status == 503
        assert (await call(neuron.app, "GET", "/v2/health/live")).status == 200
        assert (await post(neuron.app, INFER, inputs(tensor([1, 2, 3, 4])))).status == 503
        index = await call(neuron.app, "POST", "/v2/repository/index")
        assert index.json == [{"name": "churn", "version": "1.0.0", "state": "LOADING", "reason": ""}]
        assert (await post(neuron.app, "/v2/repository/index", {"ready": True})).json == []


async def test_while_it_drains_it_is_not_ready_and_answers_all_the_same(neuron: Neuron) -> None:
    neuron.plane.draining = True
    assert (await call(neuron.app, "GET", "/v2/health/ready")).status == 503
    assert (await call(neuron.app, "GET", "/v2/models/churn/ready")).status == 503
    assert (await post(neuron.app, INFER, inputs(tensor([1, 2, 3, 4])))).status == 200
    (entry,) = (await call(neuron.app, "POST", "/v2/repository/index")).json
    assert entry["state"] == "UNAVAILABLE"


async def test_the_loaded_model_may_be_loaded_and_none_unloaded(neuron: Neuron) -> None:
    repository = "/v2/repository/models"
    assert (await call(neuron.app, "POST", "/v2/repository/index")).json[0]["state"] == "READY"
    assert (await post(neuron.app, f"{repository}/churn/load", {})).status == 200
    assert (await post(neuron.app, f"{repository}/other/load", {})).status == 404
    refused = await post(neuron.app, f"{repository}/churn/unload", {})
    assert (refused.status, "spec.model" in refused.json["error"]) == (501, True)


@pytest.mark.parametrize(
    "path", [INFER, "/v2/models/churn/versions/1.0.0/infer", "/v2/models/churn/versions/primary/infer"]
)
async def test_an_answer_names_model_version_id_and_outputs(neuron: Neuron, path: str) -> None:
    reply = await post(neuron.app, path, inputs(tensor([1, 2, 3, 4.5]), id="a-1", parameters={"anything": [1]}))
    assert reply.json == {
        "model_name": "churn",
        "model_version": "1.0.0",
        "id": "a-1",
        "outputs": [{"name": "prediction", "datatype": "FP64", "shape": [2], "data": [3.0, 7.5]}],
    }
    assert counts(neuron) == (1, 1, 0)


async def test_without_an_id_the_answer_has_none(neuron: Neuron) -> None:
    assert "id" not in (await post(neuron.app, INFER, inputs(tensor([1, 2, 3, 4])))).json


async def test_a_name_and_version_may_be_escaped_in_the_path() -> None:
    async with serving(model={"name": "my model/2", "version": "1.0+é"}) as neuron:
        served = neuron.plane.served
        assert served is not None
        object.__setattr__(served, "name", "my model/2")
        object.__setattr__(served, "version", "1.0+é")
        for path in ("/v2/models/my%20model%2F2", "/v2/models/my%20model%2F2/versions/1.0%2B%C3%A9"):
            assert (await escaped(neuron.app, "GET", f"{path}/ready")).status == 200
            reply = await escaped(neuron.app, "POST", f"{path}/infer", inputs(tensor([1, 2, 3, 4])))
            assert reply.json["model_version"] == "1.0+é"


async def escaped(app: Any, method: str, path: str, content: object = None) -> Reply:
    """With the path as servers tell it: as it came, and unescaped."""
    from urllib.parse import unquote

    async def raw(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await app({**scope, "raw_path": path.encode(), "path": unquote(path)}, receive, send)

    return await call(raw, method, unquote(path), b"" if content is None else json.dumps(content).encode())


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        ("FP64", [1, 2.5, 3, 4]),
        ("FP32", [[1, 2.5], [3, 4]]),
        ("FP16", [1, 2.5, 3, 4]),
        ("INT8", [1, -128, 127, 0]),
        ("INT16", [1, -(2**15), 3, 4]),
        ("INT32", [1, 2**31 - 1, 3, 4]),
        ("INT64", [1, 2**40, 3, 4]),
        ("UINT8", [1, 255, 3, 4]),
        ("UINT16", [1, 65535, 3, 4]),
        ("UINT32", [1, 2**32 - 1, 3, 4]),
        ("UINT64", [1, 2**50, 3, 4]),
        ("BOOL", [True, False, 1, 0]),
    ],
)
async def test_numbers_of_every_datatype_are_taken_flat_or_nested(neuron: Neuron, datatype: str, data: Any) -> None:
    reply = await post(neuron.app, INFER, inputs(tensor(data, datatype)))
    values = np.array(data, float).reshape(2, 2)
    assert (reply.status, reply.json["outputs"][0]["data"]) == (200, values.sum(axis=1).tolist())


async def test_what_is_said_to_be_of_32_bits_is_rounded_to_them(neuron: Neuron) -> None:
    reply = await post(neuron.app, INFER, inputs(tensor([0.1, 0, 0, 0], "FP32")))
    assert reply.json["outputs"][0]["data"][0] == float(np.float32(0.1))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "inputs is missing; send an array"),
        (inputs(), "inputs is empty; send an array"),
        ({"inputs": 5}, "inputs is a number; send an array"),
        ({"inputs": [5]}, "inputs[0] must be an object with a name"),
        (inputs(tensor([1, 2, 3, 4], "FP8")), "inputs[0].datatype is unknown; send one of BOOL, INT8"),
        (inputs(tensor([1, 2, 3, 4], shape=[])), "inputs[0].shape must be 1 to 16 numbers"),
        (inputs(tensor([1, 2, 3, 4], shape=[-1, 2])), "inputs[0].shape holds what is no size"),
        (inputs(tensor([], shape=[0, 2])), "inputs[0].shape holds what is no size"),
        (inputs(tensor([1, 2, 3])), "inputs[0].data has 3 values; the shape [2, 2] takes 4"),
        (inputs(tensor([[1, 2], [3]])), "inputs[0].data is not nested as its shape [2, 2] says"),
        (inputs(tensor([[[1], 2], [3, 4]])), "inputs[0].data[0] is an array; send a number"),
        (inputs(tensor([[1, 2, 3, 4]])), "inputs[0].data is not nested as its shape [2, 2] says"),
        (inputs(tensor([1, "2", 3, 4])), "inputs[0].data[1] is a string; send a number, as the datatype FP64 says"),
        (inputs(tensor([1, None, 3, 4])), "inputs[0].data[1] is null; send a number"),
        (inputs(tensor([1, 2, 3, 1e39], "FP32")), "inputs[0].data[3] is no FP32; send a number from -3.403e+38"),
        (inputs(tensor([1, 2, 3, 7e4], "FP16")), "inputs[0].data[3] is no FP16; send a number from -6.55e+04"),
        (inputs(tensor([1, 2, 3, 128], "INT8")), "inputs[0].data[3] is no INT8; send a whole number from -128 to 127"),
        (inputs(tensor([1, 2, 3, -1], "UINT64")), "inputs[0].data[3] is no UINT64; send a whole number from 0"),
        (inputs(tensor([1, 2, 3, 4.0], "INT64")), "inputs[0].data[3] is no INT64"),
        (inputs(tensor([1, 0, 2, 0], "BOOL")), "inputs[0].data[2] is no BOOL; send true or false"),
        (inputs(tensor([1, 2, 3, 1e300])), "out of range"),
        (inputs(tensor(["a"] * 4, "BYTES")), "BYTES"),
        (inputs(tensor([1] * 4, "BYTES")), "inputs[0].data[0] is a number; send a string"),
        (inputs(tensor("1234")), "inputs[0].data is a string; send an array of 4 values"),
        (inputs({"name": "x", "datatype": "FP64", "shape": [2, 2]}), "inputs[0].data is missing"),
        (inputs(tensor([1, 2, 3], shape=[1, 3])), "[1, 3]"),
        (inputs(tensor([1, 2, 3, 4]), tensor([1, 2, 3, 4])), "there are 2 inputs"),
        (inputs(tensor([1, 2, 3, 4]), id=5), "id is a number; send a string"),
        (inputs(tensor([1, 2, 3, 4]), parameters=5), "parameters is a number; send an object"),
        (inputs(tensor([1, 2, 3, 4]), parameters={"timeout": "x"}), "parameters.timeout must be whole microseconds"),
        (
            inputs(tensor([1, 2, 3, 4]), parameters={"binary_data_output": 1}),
            "parameters.binary_data_output is a number",
        ),
        (inputs(tensor([1, 2, 3, 4]), outputs=5), "outputs is a number"),
        (inputs(tensor([1, 2, 3, 4]), outputs=[{}]), "outputs[0] names no output"),
        (
            inputs(tensor([1, 2, 3, 4]), outputs=[{"name": "x"}]),
            "outputs[0].name is no output of this model; ask for pred",
        ),
        (
            inputs(tensor([1, 2, 3, 4]), outputs=[{"name": "prediction", "parameters": {"classification": 2}}]),
            "outputs[0].parameters.classification is not supported; ask for the output 'probabilities' instead",
        ),
        (
            inputs(tensor(None, parameters={"shared_memory_region": "x"})),
            "inputs[0].parameters.shared_memory_region is not supported; send the data in the request",
        ),
    ],
)
async def test_a_bad_request_is_told_its_field_and_mend(neuron: Neuron, content: object, message: str) -> None:
    reply = await post(neuron.app, INFER, content)
    assert reply.status == 400
    assert message in reply.json["error"]
    assert set(reply.json) == {"error"}
    assert counts(neuron)[1:] == (0, 0)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v2/models/other/infer", 404), ("/v2/models/churn/versions/2/infer", 404)],
)
async def test_another_model_or_version_is_not_found(neuron: Neuron, path: str, status: int) -> None:
    reply = await post(neuron.app, path, inputs(tensor([1, 2, 3, 4])))
    assert (reply.status, set(reply.json)) == (status, {"error"})


async def test_other_errors_have_their_status_and_the_protocols_shape(neuron: Neuron) -> None:
    too_many = inputs(tensor([1.0] * 20_002, shape=[10_001, 2]))
    assert (await post(neuron.app, INFER, too_many)).status == 413
    assert (await call(neuron.app, "POST", INFER, b"{", {})).status == 400
    assert (await call(neuron.app, "POST", INFER, b"{}", {"content-type": "text/plain"})).status == 415
    assert (await call(neuron.app, "POST", INFER, b"{}", {"content-encoding": "gzip"})).status == 415
    assert (await call(neuron.app, "POST", INFER, b" " * 5_000_000)).status == 413


@pytest.mark.parametrize("bad", [POISON, NOT_FINITE])
async def test_a_row_that_the_model_fails_on_fails_the_request(neuron: Neuron, bad: float) -> None:
    reply = await post(neuron.app, INFER, inputs(tensor([1, 2, bad, 4])))
    assert (reply.status, reply.json) == (
        500,
        {"error": "the model failed on this input; the server's log has the cause"},
    )


async def test_outputs_come_as_asked_for_and_in_that_order() -> None:
    async with serving(labelled) as neuron:
        everything = (await post(neuron.app, INFER, inputs(tensor([1, 2, 3, 4])))).json["outputs"]
        assert [(out["name"], out["datatype"], out["shape"]) for out in everything] == [
            ("prediction", "BYTES", [2]),
            ("confidence", "FP64", [2]),
            ("probabilities", "FP32", [2, 2]),
        ]
        assert everything[0]["data"] == ["low", "hoch Ü"]
        assert everything[2]["data"] == [3.0, -3.0, 7.0, -7.0]
        chosen = [{"name": "probabilities"}, {"name": "prediction"}]
        outputs = (await post(neuron.app, INFER, inputs(tensor([1, 2, 3, 4]), outputs=chosen))).json["outputs"]
        assert outputs == [everything[2], everything[0]]


async def test_large_requests_and_answers_are_the_same_as_small_ones(neuron: Neuron) -> None:
    values = np.random.default_rng(1).uniform(size=(9000, 2))
    reply = await post(neuron.app, INFER, inputs(tensor(values.tolist(), shape=[9000, 2])))
    assert reply.json["outputs"][0]["data"] == values.sum(axis=1).tolist()


async def test_the_requests_timeout_shortens_the_configured_one() -> None:
    async with serving(lambda rows: Prediction(rows[0].sum(axis=1)), batching={"maxDelaySeconds": 5}) as neuron:
        asked = inputs(tensor([1, 2, 3, 4]), parameters={"timeout": 20_000})
        reply = await post(neuron.app, INFER, asked)
        assert (reply.status, "within 0.02 s" in reply.json["error"]) == (504, True)
