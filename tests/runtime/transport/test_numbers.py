"""What is read quickly is what is read in the usual way, to the byte; and what is plain is read quickly."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.errors import RequestError
from mlneuron_runtime.signature import Column, Matrix, Signature, Table, Tensors
from mlneuron_runtime.tensors import Array, TensorSpec
from mlneuron_runtime.transport import guide, numbers, v1, v2
from mlneuron_runtime.transport.prediction import Form, read_quickly

from tests.runtime.conftest import serving
from tests.runtime.transport.test_v2 import labelled

MANY = settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SIGNATURES: list[Signature] = [
    Matrix(2), Matrix(None), Matrix(2, nullable=True), Matrix(2, whole=(0,)), Matrix(2, names=("a", "b")), Matrix(1),
    Table((Column("a"), Column("b", "BYTES"))), Table((Column("a"), Column("b", "INT64"))),
    Tensors((TensorSpec("x", "FP32", (2,)),)), Tensors((TensorSpec("x", "FP64", (2, 1)),)),
]  # fmt: skip


@pytest.fixture(scope="module")
def plane() -> Iterator[DataPlane]:
    with asyncio.Runner() as runner:
        context = serving(labelled)
        yield runner.run(context.__aenter__()).plane
        runner.run(context.__aexit__(None, None, None))


def forms(plane: DataPlane, signature: Signature) -> dict[str, Form]:
    """By the name of what holds the rows."""
    assert plane.served is not None
    plane.served.model.signature = signature  # type: ignore[misc]  # of a model that is made for tests
    return {
        "batch_features": guide.BatchPredict(plane), "instances": v1.Predict(plane, "churn"),
        "data": v2.Infer(plane, "churn"),
    }  # fmt: skip


def comparable(value: Any) -> Any:
    """What says the same of the same question: arrays by their bytes."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tolist() if value.dtype.kind == "O" else value.tobytes()
    if isinstance(value, tuple | list | range):
        return [comparable(inner) for inner in value]
    if isinstance(value, dict):
        return {name: comparable(inner) for name, inner in value.items()}
    if type(value).__module__.startswith("mlneuron_runtime.transport") or type(value).__name__ in {"Rows", "Tensor"}:
        return {name: comparable(getattr(value, name)) for name in value.__slots__}
    return value


def check_the_same(form: Form, body: bytes) -> None:
    """Unless the body is left to the usual way."""
    try:
        question = form.quickly(body, [], {})
    except (RequestError, numbers.Unusual):
        return
    assert question is not None
    assert comparable(question) == comparable(form.read(body, [], {}))


integers = st.integers(-(2**70), 2**70) | st.integers(-3, 3) | st.sampled_from([2**53 + 1, 2**63, 2**64 - 1, 2**64])
floats = st.floats(allow_nan=False, allow_infinity=False) | st.floats(width=32, allow_nan=False, allow_infinity=False)
fitting = (st.integers(-9, 9) | st.floats(-1e6, 1e6)).map(json.dumps)
texts = st.one_of(
    integers.map(str), floats.map(repr), fitting,
    st.sampled_from(["-0", "-0.0", "1e400", "1E5", "1.5e+3", "0.1e-7", "3.5e38", "-3.5e38"]),
    st.sampled_from(["01", "1.", ".5", "+1", "-"]),
    st.sampled_from(["true", "null", "NaN", '"1"', '"["', "[1]", "[]", "{}", "[[1, 2]]"]),
)  # fmt: skip
"""A value as JSON writes it, or as it does not."""

rows = st.lists(st.lists(fitting, min_size=2, max_size=2), min_size=1, max_size=4)
odd_rows = st.lists(st.lists(texts, max_size=3) | texts, max_size=4)
spaces = st.sampled_from(["", "", " ", "\n\t"])


def written(lists: Any, space: str) -> str:
    """Lists of texts as JSON."""
    inner = f"{space},".join(written(value, space) for value in lists) if isinstance(lists, list) else None
    return f"{lists}{space}" if inner is None else f"[{space}{inner}]"


names = ["model_version", "user_id", "inputs", "id", "parameters", "x", "[", "é", '"', "batch_features", "data"]
contents = ['"latest"', '"1.0.0"', '"["', '"\\u00e9"', '"\\ud800"', "7", "null", "[]", "[1]", '{"data": [1]}']
others = st.dictionaries(st.sampled_from(names), st.sampled_from(contents), max_size=2)


def objects(field: str, value: str, more: dict[str, str], first: bool) -> bytes:
    """An object with the field, and other fields before or behind it, which may have its name."""
    fields = [f"{json.dumps(name)}: {text}" for name, text in more.items()]
    fields.insert(0 if first else len(fields), f'"{field}": {value}')
    return ("{" + ", ".join(fields) + "}").encode()


@MANY
@given(
    signature=st.sampled_from(SIGNATURES), field=st.sampled_from(["batch_features", "instances"]),
    lists=rows | odd_rows, space=spaces, more=st.just({}) | others, first=st.booleans(),
    around=st.sampled_from([(b"", b"")] * 5 + [(b" ", b"\n"), (b"\xef\xbb\xbf", b""), (b"", b"x"), (b"", b"{}")]),
)  # fmt: skip
def test_rows_are_read_as_in_the_usual_way(
    plane: DataPlane, signature: Signature, field: str, lists: Any, space: str, more: dict[str, str], first: bool,
    around: tuple[bytes, bytes],
) -> None:  # fmt: skip
    body = around[0] + objects(field, written(lists, space), more, first) + around[1]
    check_the_same(forms(plane, signature)[field], body)


datatypes = st.sampled_from(['"FP64"', '"FP32"', '"FP16"', '"INT64"', '"BOOL"', '"BYTES"', "7"])
shapes = st.sampled_from(["[2, 2]", "[4]", "[1, 4]", "[2, 1, 2]", "[3, 2]", "[2]", "[2.0, 2]", "[true, 4]", "[0, 2]"])
flat = st.lists(fitting, min_size=4, max_size=4) | st.lists(texts, max_size=6)


@MANY
@given(
    signature=st.sampled_from(SIGNATURES), datatype=datatypes, shape=shapes, lists=flat | rows | odd_rows,
    space=spaces, more=st.just({}) | others, beside=st.just({}) | others, first=st.booleans(),
)  # fmt: skip
def test_tensors_are_read_as_in_the_usual_way(
    plane: DataPlane, signature: Signature, datatype: str, shape: str, lists: Any, space: str, more: dict[str, str],
    beside: dict[str, str], first: bool,
) -> None:  # fmt: skip
    said = {"name": '"x"', "datatype": datatype, "shape": shape, **more}
    tensor = objects("data", written(lists, space), said, first).decode()
    check_the_same(forms(plane, signature)["data"], objects("inputs", f"[{tensor}]", beside, first))


@MANY
@given(body=st.binary(max_size=60) | st.text('{}[]":,0123456789.eE+- tabch_feurs', max_size=60).map(str.encode))
def test_any_bytes_are_read_as_in_the_usual_way_or_left_to_it(plane: DataPlane, body: bytes) -> None:
    for form in forms(plane, Matrix(2)).values():
        check_the_same(form, body)


@MANY
@given(lists=flat | rows | odd_rows, space=spaces, more=st.just({}) | others, first=st.booleans())
def test_what_is_read_is_what_the_body_says(lists: Any, space: str, more: dict[str, str], first: bool) -> None:
    body = objects("batch_features", written(lists, space), more, first)
    try:
        found = numbers.read(body, "batch_features")
    except numbers.Unusual:
        return
    expected = orjson.loads(body)
    assert found.pop("batch_features").tolist() == np.array(expected.pop("batch_features"), np.float64).tolist()
    assert found == expected


PLAIN = {
    "batch_features": {"batch_features": [[1, 2.5], [3, 4]], "model_version": "latest", "user_id": "u"},
    "instances": {"instances": [[1, 2.5], [3, 4]], "signature_name": "x"},
    "data": {
        "id": "7",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [1, 2.5, 3, 4]}],
        "parameters": {"x": [1]},
        "outputs": [{"name": "prediction"}],
    },
}  # fmt: skip


@pytest.mark.parametrize("field", PLAIN)
def test_what_is_plain_is_read_quickly(plane: DataPlane, field: str) -> None:
    form, body = forms(plane, Matrix(2))[field], orjson.dumps(PLAIN[field])
    question = form.quickly(body, [], {})
    assert question is not None
    assert question.inputs[0].tolist() == [[1, 2.5], [3, 4]]
    assert comparable(question) == comparable(form.read(body, [], {}))


def test_nested_data_are_read_quickly(plane: DataPlane) -> None:
    tensor = {"name": "x", "datatype": "FP64", "shape": [2, 2], "data": [[1, 2.5], [3, 4]]}
    question = forms(plane, Matrix(2))["data"].quickly(orjson.dumps({"inputs": [tensor]}), [], {})
    assert question is not None
    assert question.inputs[0].tolist() == [[1, 2.5], [3, 4]]


def test_bytes_behind_a_short_header_are_read_quickly(plane: DataPlane) -> None:
    tensor = {"name": "x", "datatype": "FP64", "shape": [1, 2], "parameters": {"binary_data_size": 16}}
    header = orjson.dumps({"inputs": [tensor]})
    headers = [(v2.HEADER_LENGTH, b"%d" % len(header))]
    question = forms(plane, Matrix(2))["data"].quickly(header + np.array([1.0, 2.5]).tobytes(), headers, {})
    assert question is not None
    assert question.inputs[0].tolist() == [[1, 2.5]]


@pytest.mark.parametrize(
    "body",
    [
        b'{"x": [1, [2]]}', b'{"x": [[1, [2]], [3, 4]]}', b'{"x": [[1], [2, 3]]}', b'{"x": []}', b'{"x": [[]]}',
        b'{"x": 1}', b'{"x": "12"}', b'{"x": [1, true]}', b'{"x": [null]}', b'{"x": ["1"]}', b'{"x": {"0": 1}}',
        b'{"x": [1, 18446744073709551616]}', b'{"x": [1], "x": [2]}', b'{"x": [1], "y": "["}', b"[1]", b"",
        b'{"x": [1]} {}', b'\xef\xbb\xbf{"x": [1]}', b'{"y": ' + b"[" * 1100 + b"]" * 1100 + b"}",
        b'{"y": [' + b"1," * 1100 + b"1]}",
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_the_usual_way(body: bytes) -> None:
    with pytest.raises(numbers.Unusual):
        numbers.read(body, "x")


def test_a_bad_row_in_a_large_body_is_told_of_as_ever(plane: DataPlane) -> None:
    body = orjson.dumps({"batch_features": [[1, 2]] * 500 + [[1]] + [[1, 2]] * 500})
    form = forms(plane, Matrix(2))["batch_features"]
    assert read_quickly(form, body, [], {}) is None
    question: Any = form.read(body, [], {})
    assert list(question.rows.faults) == [500]


def test_several_threads_read_at_the_same_time() -> None:
    def right(seed: int) -> bool:
        wanted = np.random.default_rng(seed).normal(size=(200, 5))
        bad = orjson.dumps({"x": [*wanted.tolist(), "no number"]})
        with pytest.raises(numbers.Unusual):
            numbers.read(bad, "x")
        found: Array = numbers.read(orjson.dumps({"x": wanted.tolist()}), "x")["x"]
        return bool((found == wanted).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, range(400)))


def test_a_body_that_is_too_large_for_the_kept_parser_is_read_all_the_same() -> None:
    wanted = np.random.default_rng(1).normal(size=(10_000, 8))
    body = orjson.dumps({"x": wanted.tolist()})
    assert len(body) > numbers.KEPT_BODY
    assert (numbers.read(body, "x")["x"] == wanted).all()
