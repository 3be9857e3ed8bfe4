"""Rows of named columns become one array a column, or errors that name column and mend."""

import math
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.signature import Column, Matrix, Table, Tensors, sample
from mlneuron_runtime.tensors import DTYPES, Inputs, Tensor, TensorSpec

from tests.runtime.test_signature import JSON

TABLE = Table((
    Column("age", "FP64", nullable=True),
    Column("city", "BYTES", choices=frozenset({"Oslo", "Rome"})),
    Column("member", "BOOL"),
    Column("visits", "INT8"),
    Column("note", "BYTES", nullable=True),
))  # fmt: skip
GOOD: dict[str, Any] = {"age": 31, "city": "Oslo", "member": True, "visits": 3, "note": "kind"}
SMALL = Table((Column("age"), Column("city", "BYTES")), ignored=frozenset({"id"}))
WANTED = "send an object, or an array in this order, of age (number), city (string)"


def listed(row: dict[str, Any]) -> list[Any]:
    return [row[name] for name in GOOD]


def test_an_object_and_an_array_in_column_order_are_the_same_row() -> None:
    named, ordered = TABLE.row(GOOD), TABLE.row(listed(GOOD))
    assert [array.tolist() for array in named] == [[31.0], ["Oslo"], [True], [3], ["kind"]]
    assert [array.tolist() for array in ordered] == [array.tolist() for array in named]
    assert [array.dtype for array in named] == [DTYPES[spec.datatype] for spec in TABLE.inputs]


def test_the_order_of_an_objects_names_does_not_matter() -> None:
    backwards = dict(reversed(GOOD.items()))
    assert [array.tolist() for array in TABLE.row(backwards)] == [array.tolist() for array in TABLE.row(GOOD)]


@pytest.mark.parametrize(
    ("column", "value", "wrong"),
    [
        ("age", "x", "is a string; send a number or null"),
        ("age", 1e39, "is out of range; send a finite number between -3.4e38 and 3.4e38 (a 32-bit float)"),
        ("city", 5, "is a number; send a string"),
        ("city", None, "is null; send a string"),
        ("city", "Bonn", "is a value that the model was not trained with; send one of Oslo, Rome"),
        ("member", 1, "is a number; send true or false"),
        ("visits", 2.5, "is not whole; send a whole number"),
        ("visits", 128, "is out of range; send a whole number from -128 to 127"),
        ("visits", "1", "is a string; send a whole number"),
        ("visits", None, "is null; send a whole number"),
        ("note", [], "is an array; send a string or null"),
    ],
)
def test_a_bad_value_is_told_by_its_column(column: str, value: Any, wrong: str) -> None:
    bad = {**GOOD, column: value}
    with pytest.raises(InvalidInput) as named:
        TABLE.row(bad)
    assert (named.value.field, named.value.message) == (f"features.{column}", f"features.{column} {wrong}")
    place = f"features[{list(GOOD).index(column)}]"
    with pytest.raises(InvalidInput) as ordered:
        TABLE.row(listed(bad))
    assert (ordered.value.field, ordered.value.message) == (place, f"{place} {wrong}")


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        (None, "features", f"features is null; {WANTED}"),
        ([1], "features", f"features has 1 values; {WANTED}"),
        ({"age": 1}, "features.city", f"features lacks 'city'; {WANTED}"),
        ({"age": 1, "city": "x", "zip": 3}, "features", "features has an unknown column; send age, city"),
    ],
)
def test_what_is_no_row_is_told_with_the_columns(row: Any, field: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        SMALL.row(row)
    assert (refused.value.field, refused.value.message) == (field, message)


def test_columns_that_the_model_was_trained_beside_are_not_read() -> None:
    assert [array.tolist() for array in SMALL.row({"id": "any", "city": "Oslo", "age": 1})] == [[1.0], ["Oslo"]]


def test_missing_values_are_nan_and_none_where_the_model_takes_them() -> None:
    age, _, _, _, note = TABLE.row({**GOOD, "age": None, "note": None})
    assert math.isnan(age[0])
    assert note[0] is None


def test_a_whole_number_may_come_as_a_float() -> None:
    assert TABLE.row({**GOOD, "visits": 3.0})[3].tolist() == [3]


def test_bad_rows_of_a_batch_are_told_by_place_and_the_good_ones_kept() -> None:
    rows = TABLE.rows([GOOD, {**GOOD, "city": 7}, listed(GOOD), [1], {**GOOD, "age": None}])
    assert list(rows.positions) == [0, 2, 4]
    assert rows.inputs[1].tolist() == ["Oslo"] * 3
    assert rows.inputs[0].tolist()[:2] == [31.0, 31.0]
    assert {place: fault.field for place, fault in rows.faults.items()} == {
        1: "batch_features[1].city",
        3: "batch_features[3]",
    }


def test_a_batch_of_nothing_but_bad_rows_has_columns_without_values() -> None:
    rows = TABLE.rows([None, 3])
    assert [len(array) for array in rows.inputs] == [0] * 5
    assert [array.dtype for array in rows.inputs] == [DTYPES[spec.datatype] for spec in TABLE.inputs]


def tensors(**columns: Any) -> list[Tensor]:
    return [Tensor(name, np.array(values[1], dtype=DTYPES[values[0]])) for name, values in columns.items()]


def test_tensors_come_one_a_column_flat_or_as_one_column() -> None:
    age, city = SMALL.tensors(tensors(city=("BYTES", [["a"], ["b"]]), age=("INT32", [1, 2])))
    assert (age.tolist(), age.dtype.name, city.tolist()) == ([1.0, 2.0], "float64", ["a", "b"])


def test_one_tensor_holds_all_columns_where_they_are_of_one_kind() -> None:
    numbers = Table((Column("a"), Column("b", "INT64")))
    assert [array.tolist() for array in numbers.tensors(tensors(x=("FP32", [[1, 2], [3, 4]])))] == [[1, 3], [2, 4]]
    words = Table((Column("a", "BYTES"), Column("b", "BYTES")))
    assert [array.tolist() for array in words.tensors(tensors(x=("BYTES", [["p", "q"]])))] == [["p"], ["q"]]


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (tensors(age=("FP64", [1.0]), city=("FP64", [1.0])), "city is FP64; send BYTES"),
        (tensors(age=("BYTES", ["1"]), city=("BYTES", ["1"])), "age is BYTES; send numbers, such as FP64"),
        (tensors(age=("FP64", [1.0, 2.0]), city=("BYTES", ["1"])), "different numbers of rows"),
        (tensors(age=("FP64", [[1.0, 2.0]]), city=("BYTES", ["1"])), r"age has the shape \[1, 2\]; send \[rows\]"),
        (tensors(age=("FP64", [float("nan")]), city=("BYTES", ["1"])), r"age\[0\] is out of range"),
        (tensors(age=("FP64", [1.0]), city=("BYTES", [None])), r"city\[0\] is not a string"),
        (tensors(age=("FP64", [1.0])), "inputs lacks 'city'"),
    ],
)
def test_tensors_that_do_not_fit_are_told_by_their_name(sent: list[Tensor], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        SMALL.tensors(sent)


def test_a_tensor_of_a_value_the_model_does_not_know_is_refused() -> None:
    whole = tensors(
        age=("FP64", [1.0]), city=("BYTES", ["Bonn"]), member=("BOOL", [True]), visits=("INT64", [1]),
        note=("BYTES", [None]),
    )  # fmt: skip
    with pytest.raises(InvalidInput, match=r"city\[0\] is a value .*; send one of Oslo, Rome"):
        TABLE.tensors(whole)


def test_a_fraction_is_no_whole_number_in_a_tensor_either() -> None:
    column = Table((Column("n", "UINT8"),))
    assert column.tensors(tensors(n=("FP64", [3.0, 255.0])))[0].dtype == np.uint8
    for bad in (2.5, -1.0, 256.0, float("nan")):
        with pytest.raises(InvalidInput, match=r"n\[0\] does not fit UINT8; send a whole number from 0 to 255"):
            column.tensors(tensors(n=("FP64", [bad])))
    with pytest.raises(InvalidInput, match=r"n\[0\] does not fit UINT8"):
        column.tensors(tensors(n=("INT64", [-1])))


def test_the_example_is_a_row_that_fits() -> None:
    made = TABLE.example(0.5)
    assert made is not None
    (row,) = zip(*(array.tolist() for array in made), strict=True)
    assert [array.tolist() for array in TABLE.row(list(row))] == [array.tolist() for array in made]


ROW = st.fixed_dictionaries({
    "age": st.none() | st.floats(-1e30, 1e30),
    "city": st.sampled_from(["Oslo", "Rome"]),
    "member": st.booleans(),
    "visits": st.integers(-128, 127),
    "note": st.none() | st.text(),
})  # fmt: skip


@given(st.lists(ROW, min_size=1, max_size=8))
def test_good_rows_keep_their_order_and_values_however_they_come(rows: list[dict[str, Any]]) -> None:
    for batch in (rows, list(map(listed, rows))):
        taken = TABLE.rows(batch)
        assert not taken.faults
        columns = [[None if value != value else value for value in array.tolist()] for array in taken.inputs]
        assert list(map(list, zip(*columns, strict=True))) == list(map(listed, rows))


@given(JSON | st.dictionaries(st.sampled_from([*GOOD, "zip"]), JSON))
@example({**GOOD, "age": 10**400})
@example({**GOOD, "visits": 10**400})
@example({**GOOD, "visits": float("inf")})
def test_any_json_is_a_row_or_invalid_input(value: Any) -> None:
    made = row_or_refusal(value)
    if isinstance(made, InvalidInput):
        orjson.dumps(made.describe())
        assert made.message.startswith(made.field.partition(".")[0])
    else:
        assert [array.shape for array in made] == [(1,)] * 5


def row_or_refusal(value: Any) -> Inputs | InvalidInput:
    try:
        return TABLE.row(value)
    except InvalidInput as refused:
        return refused


@given(st.lists(JSON | ROW | ROW.map(listed), min_size=1, max_size=6))
def test_any_batch_accounts_for_every_row(batch: list[Any]) -> None:
    rows = TABLE.rows(batch)
    assert sorted([*rows.positions, *rows.faults]) == list(range(len(batch)))
    assert {len(array) for array in rows.inputs} == {len(rows.positions)}


def test_a_sample_row_fits_its_signature() -> None:
    assert sample(TABLE) == {"age": 0.0, "city": "Oslo", "member": False, "visits": 0, "note": ""}
    assert sample(Matrix(3)) == [0, 0, 0]
    assert sample(Matrix(None)) == [0]
    image, place = TensorSpec("image", "FP32", (2, 1)), TensorSpec("place", "INT64")
    assert sample(Tensors((image,))) == [[0.0], [0.0]]
    assert sample(Tensors((image, place))) == {"image": [[0.0], [0.0]], "place": 0}
