"""JSON lists become arrays, or errors that name field and mend."""

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlneuron_runtime.errors import InvalidInput, TooManyRows
from mlneuron_runtime.signature import MAX_ROWS, Matrix
from mlneuron_runtime.signature.values import LARGEST
from mlneuron_runtime.tensors import Inputs, Tensor

THREE = Matrix(3)
ANY = Matrix(None)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)

BAD_ROWS: list[tuple[Any, str, str]] = [
    (None, "features", "features is null; send an array of 3 numbers"),
    ("1,2,3", "features", "features is a string; send an array of 3 numbers"),
    (7, "features", "features is a number; send an array of 3 numbers"),
    ({"a": 1}, "features", "features is an object; send an array of 3 numbers"),
    ([], "features", "features has 0 values; send an array of 3 numbers"),
    ([1, 2], "features", "features has 2 values; send an array of 3 numbers"),
    ([1, 2, 3, 4], "features", "features has 4 values; send an array of 3 numbers"),
    ([1, "2", 3], "features[1]", "features[1] is a string; send a number"),
    ([1, None, 3], "features[1]", "features[1] is null; send a number"),
    ([1, 2, [3]], "features[2]", "features[2] is an array; send a number"),
    ([[1, 2, 3]] * 3, "features[0]", "features[0] is an array; send a number"),
    ([1, 2, {}], "features[2]", "features[2] is an object; send a number"),
    ([1, 2, 1e39], "features[2]", "finite number between -3.4e38 and 3.4e38"),
    ([1, float("nan"), 2], "features[1]", "features[1] is out of range; send a finite number"),
    ([float("-inf"), 1, 2], "features[0]", "features[0] is out of range; send a finite number"),
    ([10**400, 1, 2], "features[0]", "send a finite number"),
]


@pytest.mark.parametrize(("features", "field", "message"), BAD_ROWS)
def test_a_bad_row_is_refused_by_its_field_and_mend(features: Any, field: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        THREE.row(features)
    assert refused.value.field == field
    assert message in refused.value.message


def test_integers_floats_and_booleans_are_numbers() -> None:
    assert THREE.row([1, 2.5, True])[0].tolist() == [[1.0, 2.5, 1.0]]


def test_the_largest_32_bit_float_is_taken() -> None:
    assert THREE.row([LARGEST, -LARGEST, 0])[0].tolist() == [[LARGEST, -LARGEST, 0.0]]


def test_a_model_that_does_not_say_its_width_takes_any_but_none() -> None:
    assert ANY.row([1, 2, 3, 4, 5])[0].shape == (1, 5)
    with pytest.raises(InvalidInput, match="send an array of numbers"):
        ANY.row([])


def test_a_long_string_is_shown_cut_and_an_array_is_not_shown() -> None:
    with pytest.raises(InvalidInput) as long:
        THREE.row("x" * 5000)
    assert len(str(long.value.describe()["value"])) < 110
    with pytest.raises(InvalidInput) as nested:
        THREE.row([[1], 2, 3])
    assert "value" not in nested.value.describe()


def test_good_rows_of_a_batch_come_in_one_array() -> None:
    rows = THREE.rows([[1, 2, 3], [4, 5, 6]])
    assert rows.inputs[0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert not rows.faults


def test_bad_rows_of_a_batch_are_told_by_place_and_the_good_ones_kept() -> None:
    rows = THREE.rows([[1, 2, 3], [1], "x", [4, 5, "6"], [7, 8, 9]])
    assert rows.inputs[0].tolist() == [[1, 2, 3], [7, 8, 9]]
    assert list(rows.positions) == [0, 4]
    assert {place: fault.field for place, fault in rows.faults.items()} == {
        1: "batch_features[1]",
        2: "batch_features[2]",
        3: "batch_features[3][2]",
    }


def test_a_batch_of_nothing_but_bad_rows_has_no_values() -> None:
    rows = THREE.rows([[1], None])
    assert rows.inputs[0].shape == (0, 3)
    assert list(rows.faults) == [0, 1]


def test_where_the_width_is_unknown_the_first_good_row_sets_it() -> None:
    rows = ANY.rows([[], [1, 2], [3], [4, 5]])
    assert rows.inputs[0].tolist() == [[1, 2], [4, 5]]
    assert list(rows.faults) == [0, 2]


@pytest.mark.parametrize("batch", [None, "x", {}, 3, []])
def test_what_is_no_batch_is_refused_as_a_whole(batch: Any) -> None:
    with pytest.raises(InvalidInput, match=r"send .*each an array of 3 numbers"):
        THREE.rows(batch)


def test_too_many_rows_are_refused_before_they_are_read() -> None:
    with pytest.raises(TooManyRows, match=f"send at most {MAX_ROWS}"):
        THREE.rows([None] * (MAX_ROWS + 1))


@given(st.lists(st.floats(-1e30, 1e30) | st.integers(-(10**30), 10**30) | st.booleans(), min_size=1))
def test_every_list_of_numbers_keeps_its_values(features: list[float]) -> None:
    assert ANY.row(features)[0].tolist() == [[float(value) for value in features]]


@given(JSON)
@example(-(2**63) - 1)
@example([10**5000, 1, 2])
def test_any_json_is_a_row_of_three_finite_numbers_or_invalid_input(value: Any) -> None:
    rows = row_or_refusal(value)
    if isinstance(rows, InvalidInput):
        orjson.dumps(rows.describe())
        assert rows.message.startswith(rows.field)
    else:
        assert rows[0].shape == (1, 3)
        assert np.isfinite(rows[0]).all()


def row_or_refusal(value: Any) -> Inputs | InvalidInput:
    try:
        return THREE.row(value)
    except InvalidInput as refused:
        return refused


@given(st.lists(JSON, min_size=1, max_size=6))
def test_any_batch_accounts_for_every_row(batch: list[Any]) -> None:
    rows = ANY.rows(batch)
    assert sorted([*rows.positions, *rows.faults]) == list(range(len(batch)))
    assert len(rows.inputs[0]) == len(rows.positions)


@given(st.integers(1, 5), st.integers(1, 30))
def test_rows_keep_their_order_and_values(width: int, count: int) -> None:
    batch = np.arange(width * count, dtype=float).reshape(count, width).tolist()
    assert Matrix(width).rows(batch).inputs[0].tolist() == batch


NAMED = Matrix(3, ("a", "b", "c"))


def test_a_row_may_be_an_object_by_the_columns_names() -> None:
    assert NAMED.row({"c": 3, "a": 1, "b": 2})[0].tolist() == [[1.0, 2.0, 3.0]]
    assert NAMED.rows([{"c": 3, "a": 1, "b": 2}, [4, 5, 6]]).inputs[0].tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"a": 1, "b": 2}, "features lacks 'c'; send a, b, c"),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, "features has an unknown column; send a, b, c"),
        ({"a": 1, "b": "x", "c": 3}, "features.b is a string; send a number"),
        ({"a": 1, "b": 2, "c": 1e39}, "features.c is out of range"),
        (7, "send an array of 3 numbers or an object by the columns' names"),
    ],
)
def test_a_bad_object_is_refused_by_its_column(row: Any, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        NAMED.row(row)
    assert message in refused.value.message


def test_one_tensor_holds_the_rows() -> None:
    sent = np.arange(6, dtype=np.int32).reshape(2, 3)
    assert THREE.tensors([Tensor("x", sent)])[0].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert Matrix(1).tensors([Tensor("x", np.array([1.0, 2.0]))])[0].tolist() == [[1.0], [2.0]]


def test_float64_rows_are_not_copied() -> None:
    sent = np.ones((4, 3))
    assert THREE.tensors([Tensor("x", sent)])[0] is sent


def test_named_columns_may_come_one_a_tensor() -> None:
    sent = [Tensor("c", np.array([3, 6])), Tensor("a", np.array([[1.0], [4.0]])), Tensor("b", np.array([2, 5]))]
    assert NAMED.tensors(sent)[0].tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


BAD_TENSORS: list[tuple[Matrix, list[Tensor], str]] = [
    (THREE, [Tensor("x", np.ones((2, 4)))], r"x has the shape \[2, 4\]; send \[rows, 3\]"),
    (THREE, [Tensor("x", np.ones(3))], r"x has the shape \[3\]; send \[rows, 3\]"),
    (THREE, [Tensor("x", np.ones((0, 3)))], r"x has the shape \[0, 3\]"),
    (ANY, [Tensor("x", np.ones((2, 3, 4)))], r"send \[rows, features\]"),
    (THREE, [Tensor("x", np.array([["a", "b", "c"]], dtype=object))], "x is BYTES; send numbers"),
    (THREE, [Tensor("x", np.array([[1.0, np.nan, 2.0]]))], r"x\[0\]\[1\] is out of range"),
    (THREE, [Tensor("x", np.array([[1.0, 2.0, np.inf]]))], r"x\[0\]\[2\] is out of range"),
    (THREE, [Tensor("a", np.ones(2)), Tensor("b", np.ones(2))], r"there are 2 inputs \(a, b\)"),
    (NAMED, [Tensor("a", np.ones(2)), Tensor("b", np.ones(2))], "inputs lacks 'c'; send a, b, c"),
    (NAMED, [Tensor(name, np.ones(2)) for name in "abcd"], "unknown column"),
    (NAMED, [Tensor(name, np.ones(1 + (name == "c"))) for name in "abc"], "different numbers of rows"),
    (NAMED, [Tensor(name, np.ones((2, 2))) for name in "abc"], r"a has the shape \[2, 2\]"),
]


@pytest.mark.parametrize(("signature", "sent", "message"), BAD_TENSORS)
def test_tensors_that_do_not_fit_are_refused_with_the_shape_that_does(
    signature: Matrix, sent: list[Tensor], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        signature.tensors(sent)


def test_too_many_rows_in_a_tensor_are_refused() -> None:
    with pytest.raises(TooManyRows):
        THREE.tensors([Tensor("x", np.ones((MAX_ROWS + 1, 3)))])


GAPS = Matrix(3, ("a", "b", "c"), nullable=True)


def test_null_is_a_missing_value_where_the_model_takes_them() -> None:
    np.testing.assert_array_equal(GAPS.row([1, None, 3])[0], [[1, np.nan, 3]])
    np.testing.assert_array_equal(GAPS.row({"c": 3, "b": 2, "a": None})[0], [[np.nan, 2, 3]])
    rows = GAPS.rows([[1, None, 3], [1, "2", 3], [1, 2, 3]])
    np.testing.assert_array_equal(rows.inputs[0], [[1, np.nan, 3], [1, 2, 3]])
    np.testing.assert_array_equal(GAPS.rows([[None, 2, 3], [4, 5, None]]).inputs[0], [[np.nan, 2, 3], [4, 5, np.nan]])
    assert rows.faults[1].message == "batch_features[1][1] is a string; send a number or null"
    sent = np.array([[1, np.nan, 3]])
    np.testing.assert_array_equal(GAPS.tensors([Tensor("x", sent)])[0], sent)


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        ({"a": 1, "b": None, "c": "x"}, "features.c", "features.c is a string; send a number or null"),
        ([1, None, 1e39], "features[2]", "features[2] is out of range; send a finite number"),
    ],
)
def test_beside_a_missing_value_a_bad_one_is_told(row: Any, field: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        GAPS.row(row)
    assert refused.value.field == field
    assert refused.value.message.startswith(message)


def test_columns_of_whole_numbers_take_no_fractions() -> None:
    whole = Matrix(2, whole=(1,))
    assert whole.row([0.5, 3.0])[0].tolist() == [[0.5, 3.0]]
    with pytest.raises(InvalidInput, match=r"features\[1\] is not whole; send a whole number"):
        whole.row([0.5, 3.5])
    assert list(whole.rows([[1, 2], [1, 2.5]]).faults) == [1]
    with pytest.raises(InvalidInput, match=r"x\[0\]\[1\] is not whole; send a whole number"):
        whole.tensors([Tensor("x", np.array([[1, 2.5]]))])


@pytest.mark.parametrize("rows", [1, 100])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e39, -1e39])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_tensors_number_that_no_model_takes_is_named_among_few_and_among_many(
    rows: int, wrong: float, dtype: type
) -> None:
    values = np.ones((rows, 2))
    with np.errstate(over="ignore"):
        values = values.astype(dtype)
        values[rows - 1, 1] = wrong
    with pytest.raises(InvalidInput) as refused:
        Matrix(2).tensors([Tensor("x", values)])
    assert refused.value.field == f"x[{rows - 1}][1]"


@pytest.mark.parametrize("rows", [1, 100])
def test_missing_values_pass_among_few_and_among_many(rows: int) -> None:
    values = np.full((rows, 2), np.nan)
    assert np.isnan(Matrix(2, nullable=True).tensors([Tensor("x", values)])[0]).all()
