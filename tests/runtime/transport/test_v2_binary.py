"""The Open Inference Protocol's binary tensor extension over REST."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.tensors import Inputs

from tests.runtime.conftest import Neuron, serving
from tests.runtime.support import Reply, call
from tests.runtime.transport.test_v2 import INFER, labelled

OCTETS = {"content-type": "application/octet-stream"}
VALUES = np.array([[1.5, 2], [3, 4]])


def described(raw: bytes, datatype: str = "FP64", **more: Any) -> dict[str, Any]:
    parameters = {"binary_data_size": len(raw)}
    return {"name": "x", "datatype": datatype, "shape": [2, 2], "parameters": parameters, **more}


async def ask(app: Any, content: dict[str, Any], raw: bytes, length: str | None = None) -> Reply:
    """With the JSON's own length, or another."""
    header = json.dumps(content).encode()
    headers = {**OCTETS, "inference-header-content-length": str(len(header)) if length is None else length}
    return await call(app, "POST", INFER, header + raw, headers)


def outputs_of(reply: Reply) -> dict[str, Any]:
    """By name: the bytes, or the values in JSON."""
    assert reply.headers["content-type"] == "application/octet-stream"
    start = int(reply.headers["inference-header-content-length"])
    found: dict[str, Any] = {}
    for output in json.loads(reply.body[:start])["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        found[output["name"]] = output["data"] if size is None else reply.body[start : start + size]
        start += size or 0
    assert start == len(reply.body)
    return found


@pytest.mark.parametrize(
    "dtype", ["f8", "f4", "f2", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"], ids=lambda dtype: f"of_{dtype}"
)
async def test_bytes_of_every_datatype_are_taken(neuron: Neuron, dtype: str) -> None:
    names = {"f": "FP", "i": "INT", "u": "UINT"}
    name = "BOOL" if dtype == "?" else f"{names[dtype[0]]}{8 * int(dtype[1])}"
    values = VALUES.astype(dtype)
    reply = await ask(neuron.app, {"inputs": [described(values.tobytes(), name)]}, values.tobytes())
    assert (reply.status, reply.json["outputs"][0]["data"]) == (200, values.astype(float).sum(axis=1).tolist())


async def test_the_model_gets_arrays_that_it_may_write_into() -> None:
    def scribbling(rows: Inputs) -> Prediction:
        (values,) = rows
        values += 1
        return Prediction(values.sum(axis=1))

    async with serving(scribbling) as neuron:
        reply = await ask(neuron.app, {"inputs": [described(VALUES.tobytes())]}, VALUES.tobytes())
        assert reply.json["outputs"][0]["data"] == [5.5, 9.0]


async def test_all_outputs_come_as_bytes_where_the_request_says_so() -> None:
    async with serving(labelled) as neuron:
        asked = {"inputs": [described(VALUES.tobytes())], "parameters": {"binary_data_output": True}}
        outputs = outputs_of(await ask(neuron.app, asked, VALUES.tobytes()))
    texts = ["low", "hoch Ü"]
    assert outputs["prediction"] == b"".join(struct.pack("<I", len(t.encode())) + t.encode() for t in texts)
    assert np.frombuffer(outputs["confidence"]).tolist() == [3.5, 7.0]
    assert np.frombuffer(outputs["probabilities"], np.float32).tolist() == [3.5, -3.5, 7.0, -7.0]


@pytest.mark.parametrize(("everything", "one"), [(False, True), (True, False)])
async def test_an_output_may_differ_from_the_others(everything: bool, one: bool) -> None:
    async with serving(labelled) as neuron:
        asked = {
            "inputs": [described(VALUES.tobytes())],
            "parameters": {"binary_data_output": everything},
            "outputs": [{"name": "confidence", "parameters": {"binary_data": one}}, {"name": "probabilities"}],
        }
        outputs = outputs_of(await ask(neuron.app, asked, VALUES.tobytes()))
    assert isinstance(outputs["confidence"], bytes) is one
    assert isinstance(outputs["probabilities"], bytes) is everything


async def test_json_alone_may_be_asked_for_bytes(neuron: Neuron) -> None:
    asked = {
        "inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 2], "data": [1, 2]}],
        "outputs": [{"name": "prediction", "parameters": {"binary_data": True}}],
    }
    reply = await call(neuron.app, "POST", INFER, json.dumps(asked).encode())
    assert outputs_of(reply) == {"prediction": struct.pack("<d", 3)}


RAW = VALUES.tobytes()
HEADER = "Inference-Header-Content-Length must be the length of the JSON"


@pytest.mark.parametrize(
    ("content", "raw", "length", "message"),
    [
        ({"inputs": [described(RAW)]}, RAW[:-1], None, "binary_data_size is 32, and 31 bytes are left"),
        ({"inputs": [described(RAW)]}, RAW + b"x", None, "1 bytes are left behind the inputs"),
        (
            {"inputs": [described(RAW[:-8])]},
            RAW[:-8],
            None,
            "inputs[0].data has 24 bytes; FP64 of the shape [2, 2] takes 32",
        ),
        ({"inputs": [described(RAW, data=[1, 2, 3, 4])]}, RAW, None, "inputs[0] has data in JSON and as bytes"),
        ({"inputs": [described(RAW, parameters={"binary_data_size": -1})]}, RAW, None, "must be a number of bytes"),
        ({"inputs": [described(RAW, parameters={"binary_data_size": True})]}, RAW, None, "must be a number of bytes"),
        ({"inputs": [described(RAW)]}, RAW, "0", HEADER),
        ({"inputs": [described(RAW)]}, RAW, "99999", HEADER),
        ({"inputs": [described(RAW)]}, RAW, "-1", HEADER),
        ({"inputs": [described(RAW)]}, RAW, "9" * 5000, HEADER),
        ({"inputs": [described(RAW)]}, RAW, "3", "the body is not valid JSON"),
        ({"inputs": [described(b"\xff" * 12, "BYTES")]}, b"\xff" * 12, None, "inputs[0].data ends within element 0"),
        ({"inputs": [described(b"\x01\0\0", "BYTES")]}, b"\x01\0\0", None, "inputs[0].data ends within element 0"),
        (
            {"inputs": [described(b"\0" * 12, "BYTES")]},
            b"\0" * 12,
            None,
            "inputs[0].data has 3 elements; its shape takes 4",
        ),
        ({"inputs": [described(b"\1\0\0\0\xff", "BYTES")]}, b"\1\0\0\0\xff", None, "inputs[0].data[0] is not UTF-8"),
        (
            {"inputs": [described(np.full((2, 2), np.nan).tobytes())]},
            np.full((2, 2), np.nan).tobytes(),
            None,
            "x[0][0]",
        ),
    ],
    ids=lambda _: "",  # bytes make poor names
)
async def test_bytes_that_do_not_fit_are_told(
    neuron: Neuron, content: dict[str, Any], raw: bytes, length: str | None, message: str
) -> None:
    reply = await ask(neuron.app, content, raw, length)
    assert reply.status == 400
    assert message in reply.json["error"]


async def test_bytes_without_the_header_are_told_of_it(neuron: Neuron) -> None:
    content = json.dumps({"inputs": [described(RAW)]}).encode()
    reply = await call(neuron.app, "POST", INFER, content)
    assert (reply.status, "Inference-Header-Content-Length" in reply.json["error"]) == (400, True)


async def test_only_this_endpoint_takes_octets(neuron: Neuron) -> None:
    assert (await call(neuron.app, "POST", "/predict", b"{}", OCTETS)).status == 415
