"""What is declared completes what an artifact tells of its inputs, and never contradicts it."""

import pytest
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.signature import Column, Declared, Matrix, Signature, Table, Tensors, settled
from mlneuron_runtime.tensors import TensorSpec


def inputs(*told: tuple[str, str] | tuple[str, str, tuple[int | None, ...]]) -> Declared:
    return tuple(TensorSpec(*each) for each in told)


AB = inputs(("a", "FP64"), ("b", "FP64"))
MIXED = inputs(("a", "INT64"), ("b", "BYTES"))
IMAGE = inputs(("pixels", "FP32", (3, 8, 8)))
ROWS = inputs(("rows", "FP32", (2,)))


@pytest.mark.parametrize(
    ("declared", "signature"),
    [
        ((), Matrix(None)),
        (AB, Matrix(2, ("a", "b"))),
        (inputs(("a", "FP64"), ("b", "INT32")), Matrix(2, ("a", "b"), whole=(1,))),
        (MIXED, Table((Column("a", "INT64"), Column("b", "BYTES")))),
        (ROWS, Matrix(2, input="rows", datatype="FP32")),
        (IMAGE, Tensors(IMAGE)),
        (inputs(("a", "FP64"), ("b", "FP64", (3,))), Tensors(inputs(("a", "FP64"), ("b", "FP64", (3,))))),
    ],
)
def test_where_the_artifact_says_nothing_what_is_declared_is_the_signature(
    declared: Declared, signature: Signature
) -> None:
    assert settled(None, declared) == signature


@pytest.mark.parametrize(
    ("found", "declared", "signature"),
    [
        (Matrix(2), (), Matrix(2)),
        (Matrix(2, nullable=True), AB, Matrix(2, ("a", "b"), nullable=True)),
        (Matrix(2, ("a", "b")), AB, Matrix(2, ("a", "b"))),
        (Matrix(2, ("a", "b")), inputs(("a", "INT8"), ("b", "BOOL")), Matrix(2, ("a", "b"), whole=(0,))),
        (Matrix(2, ("a", "b")), ROWS, Matrix(2, ("a", "b"), input="rows", datatype="FP32")),
        (Matrix(None), ROWS, Matrix(2, input="rows", datatype="FP32")),
        (Matrix(2), inputs(("", "FP64", (None,))), Matrix(2)),
        (Matrix(2), inputs(("x", "INT64", (2,))), Matrix(2, whole=(0, 1), input="x", datatype="INT64")),
        (Matrix(1), inputs(("x", "FP64")), Matrix(1, ("x",))),
        (
            Table((Column("a", nullable=True), Column("b", "BYTES")), frozenset({"c"})),
            inputs(("a", "INT64"), ("c", "BYTES"), ("b", "BYTES")),
            Table((Column("a", nullable=True), Column("b", "BYTES")), frozenset({"c"})),
        ),
        (Table((Column("a"), Column("b", "BYTES"))), MIXED, Table((Column("a", "INT64"), Column("b", "BYTES")))),
        (Tensors(inputs(("pixels", "FP32", (3, None, None)))), IMAGE, Tensors(IMAGE)),
        (Tensors(IMAGE), inputs(("pixels", "FP64", (3, 8, 8))), Tensors(IMAGE)),
    ],
)
def test_what_is_declared_completes_what_the_artifact_says(
    found: Signature, declared: Declared, signature: Signature
) -> None:
    assert settled(found, declared) == signature


@pytest.mark.parametrize(
    ("found", "declared", "told"),
    [
        (Matrix(3), AB, "2 inputs (a FP64, b FP64) there, but the model takes 3 numbers; correct"),
        (Matrix(2, ("a", "c")), AB, "takes 2 numbers (a, c) (input 2 is 'b' there, 'c' in the model); correct"),
        (Matrix(2, ("b", "a")), AB, "takes 2 numbers (b, a) in another order; correct"),
        (Matrix(2), MIXED, "2 inputs (a INT64, b BYTES) there, but the model takes 2 numbers"),
        (Matrix(4), ROWS, "1 input (rows FP32[-1, 2]) there, but the model takes 4 numbers"),
        (Matrix(2), IMAGE, "1 input (pixels FP32[-1, 3, 8, 8]) there, but the model takes 2 numbers"),
        (Table((Column("a"), Column("b"))), MIXED, "takes 2 inputs (a FP64, b FP64); correct"),
        (Table((Column("a"), Column("b"))), ROWS, "1 input (rows FP32[-1, 2]) there"),
        (Tensors(IMAGE), inputs(("pixels", "FP32", (3, 9, 9))), "takes 1 input (pixels FP32[-1, 3, 8, 8])"),
        (Tensors(IMAGE), inputs(("image", "FP32", (3, 8, 8))), "1 input (image FP32[-1, 3, 8, 8]) there"),
        (Tensors(IMAGE), inputs(("pixels", "BYTES", (3, 8, 8))), "1 input (pixels BYTES[-1, 3, 8, 8]) there"),
        (Tensors(IMAGE), AB, "2 inputs (a FP64, b FP64) there"),
    ],
)
def test_a_contradiction_is_fatal_and_names_both_sides(found: Signature, declared: Declared, told: str) -> None:
    with pytest.raises(Fatal) as failed:
        settled(found, declared)
    assert failed.value.reason is Reason.MODEL_SIGNATURE_MISMATCH
    assert failed.value.message.startswith("spec.model.inputs: ")
    assert told in failed.value.message
    assert failed.value.message.endswith("correct the inputs, or take the version of the model that has them")


def test_of_many_inputs_some_are_told() -> None:
    many = tuple(TensorSpec(f"column{place}", "FP64") for place in range(40))
    with pytest.raises(Fatal, match=r"40 inputs \(column0 FP64, .*column11 FP64, …\) there"):
        settled(Matrix(3), many)
