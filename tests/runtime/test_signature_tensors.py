"""Nested arrays become tensors, or errors that name the place and the mend."""

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.signature import Tensors
from mlneuron_runtime.tensors import Tensor, TensorSpec

from tests.runtime.test_signature import JSON

IMAGE = Tensors((TensorSpec("pixels", "FP32", (2, 3)),))
TWO = Tensors((TensorSpec("ids", "INT64", (None,)), TensorSpec("mask", "BOOL", (2,)), TensorSpec("text", "BYTES")))
GOOD = {"ids": [1, 2, 3], "mask": [True, False], "text": "hello"}


def test_one_input_is_a_nested_array() -> None:
    (pixels,) = IMAGE.row([[1, 2, 3], [4, 5, 6.5]])
    assert (pixels.shape, pixels.dtype.name) == ((1, 2, 3), "float32")
    assert pixels.tolist() == [[[1, 2, 3], [4, 5, 6.5]]]


def test_several_inputs_are_an_object_by_their_names() -> None:
    ids, mask, text = TWO.row(GOOD)
    assert (ids.tolist(), mask.tolist(), text.tolist()) == ([[1, 2, 3]], [[True, False]], ["hello"])
    assert (ids.dtype.name, mask.dtype.name, text.dtype.name) == ("int64", "bool", "object")


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        (None, "features", "features is null; send an array of 2 x 3 numbers"),
        ([1, 2], "features[0]", "features[0] is a number; send an array of 3 numbers"),
        ([[1, 2, 3]], "features", "features has 1 values; send an array of 2 x 3 numbers"),
        ([[1, 2, 3], [4, 5]], "features[1]", "features[1] has 2 values; send an array of 3 numbers"),
        ([[1, 2, 3], [4, "5", 6]], "features[1][1]", "features[1][1] is a string; send a number"),
        ([[1, 2, 3], [4, [5], 6]], "features[1][1]", "features[1][1] is an array; send a number"),
        ([[1, 2, 3], [4, None, 6]], "features[1][1]", "features[1][1] is null; send a number"),
        ([[1, 2, 3], [4, 1e39, 6]], "features[1][1]", "features[1][1] is out of range; send a finite number"),
    ],
)
def test_a_bad_value_is_told_by_its_place(row: Any, field: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        IMAGE.row(row)
    assert refused.value.field == field
    assert refused.value.message.startswith(message)


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"ids": [1, 2.5]}, "features.ids[1]", "is not whole; send a whole number"),
        ({"ids": []}, "features.ids", "has 0 values; send an array of any whole numbers"),
        ({"mask": [1, 0]}, "features.mask[0]", "is a number; send true or false"),
        ({"text": 5}, "features.text", "is a number; send a string"),
        ({"other": 5}, "features", "has an unknown input; send ids, mask, text"),
    ],
)
def test_a_bad_input_is_told_by_its_name(change: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        TWO.row({**GOOD, **change})
    assert (refused.value.field, refused.value.message) == (field, f"{field} {message}")


def test_a_missing_input_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"features lacks 'mask'; send an object of ids \(an array of any whole"):
        TWO.row({"ids": [1]})


def test_bad_rows_of_a_batch_are_told_and_the_good_ones_kept() -> None:
    rows = IMAGE.rows([[[1, 2, 3], [4, 5, 6]], [[1]], [[7, 8, 9], [1, 2, 3]]])
    assert list(rows.positions) == [0, 2]
    assert rows.inputs[0].shape == (2, 2, 3)
    assert rows.faults[1].field == "batch_features[1]"


def test_where_a_dimension_may_be_any_the_first_good_row_sets_it() -> None:
    rows = TWO.rows([{}, GOOD, {**GOOD, "ids": [1]}, GOOD])
    assert list(rows.positions) == [1, 3]
    assert "has 1 values; send an array of 3 whole numbers" in rows.faults[2].message


def test_a_batch_of_nothing_but_bad_rows_has_no_values() -> None:
    assert IMAGE.rows([1, 2]).inputs[0].shape == (0, 2, 3)


def test_tensors_are_taken_by_name_and_cast_to_what_the_model_takes() -> None:
    sent = [
        Tensor("text", np.array(["a", "b"], dtype=object)),
        Tensor("mask", np.ones((2, 2), dtype=np.bool_)),
        Tensor("ids", np.ones((2, 5), dtype=np.int32)),
    ]
    ids, mask, text = TWO.tensors(sent)
    assert (ids.dtype.name, ids.shape, mask.shape, text.tolist()) == ("int64", (2, 5), (2, 2), ["a", "b"])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 3)), r"pixels has the shape \[4, 3\]; send \[rows, 2, 3\]"),
        (np.zeros((0, 2, 3)), r"pixels has the shape \[0, 2, 3\]; send \[rows, 2, 3\]"),
        (np.full((1, 2, 3), np.inf), r"pixels\[0\]\[0\]\[0\] is out of range"),
        (np.full((1, 2, 3), "x", dtype=object), "pixels is BYTES; send numbers, such as FP32"),
    ],
)
def test_a_tensor_that_does_not_fit_is_told(array: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        IMAGE.tensors([Tensor("x", array)])


def test_what_is_known_of_the_shape_is_told() -> None:
    assert (IMAGE.features, IMAGE.names) == (6, None)
    assert (TWO.features, TWO.names) == (None, ("ids", "mask", "text"))
    assert TWO.example(1.0) is None
    made = IMAGE.example(0.5)
    assert made is not None
    assert made[0].shape == (1, 2, 3)


def arrays_of(shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    inner: st.SearchStrategy[Any] = st.integers(-1000, 1000) | st.booleans()
    for size in reversed(shape):
        inner = st.lists(inner, min_size=size, max_size=size)
    return inner


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3).flatmap(lambda shape: arrays_of(tuple(shape))))
def test_every_regular_array_keeps_its_values(value: Any) -> None:
    shape = np.array(value).shape
    free = Tensors((TensorSpec("x", "FP64", (None,) * len(shape)),))
    assert free.row(value)[0].tolist() == np.array([value], dtype=float).tolist()


@given(JSON | st.dictionaries(st.sampled_from([*GOOD, "zip"]), JSON))
def test_any_json_is_a_row_or_invalid_input(value: Any) -> None:
    for signature in (IMAGE, TWO):
        try:
            made = signature.row(value)
        except InvalidInput as refused:
            orjson.dumps(refused.describe())
        else:
            assert {len(array) for array in made} == {1}


@given(st.lists(JSON | st.just(GOOD), min_size=1, max_size=6))
def test_any_batch_accounts_for_every_row(batch: list[Any]) -> None:
    for signature in (IMAGE, TWO):
        rows = signature.rows(batch)
        assert sorted([*rows.positions, *rows.faults]) == list(range(len(batch)))
        assert {len(array) for array in rows.inputs} == {len(rows.positions)}
