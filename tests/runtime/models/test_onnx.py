"""ONNX models answer through onnxruntime what the models they were made from say."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.loading import warm_up
from mlneuron_runtime.models import onnx as loader
from mlneuron_runtime.models.base import Artifact
from mlneuron_runtime.signature import Column, Matrix, Table, Tensors
from mlneuron_runtime.tensors import TensorSpec
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import OneClassSVM

from tests.runtime.models.conftest import Data

IMAGE = "registry.test/mlneuron-runtime:1"

FLOAT, WHOLE = TensorProto.FLOAT, TensorProto.INT64


def converted(estimator: Any, rows: Any, path: Path, **options: Any) -> Any:
    path.write_bytes(to_onnx(estimator, rows[:1], **options).SerializeToString())
    return loader.load(Artifact(path, IMAGE)).model


def built(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> Path:
    """A model of a few operators."""
    graph = helper.make_graph(nodes, "graph", inputs, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def tensor(name: str, kind: int, *shape: Any) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("target", ["three", "words"])
def test_a_classifier_answers_label_confidence_and_probabilities(
    data: Data, tmp_path: Path, zipmap: bool, target: str
) -> None:
    rows = data.rows.astype(np.float32)
    fitted = RandomForestClassifier(7, random_state=0).fit(rows, getattr(data, target))
    model = converted(fitted, rows, tmp_path / "m.onnx", options={"zipmap": zipmap})
    predicted = model.predict((data.rows,))
    assert predicted.values.tolist() == fitted.predict(rows).tolist()
    np.testing.assert_allclose(predicted.others["probabilities"], fitted.predict_proba(rows), atol=1e-6)
    np.testing.assert_allclose(predicted.confidence, fitted.predict_proba(rows).max(axis=1), atol=1e-6)
    assert (model.type, model.details["producer"]) == ("onnx_classifier", "skl2onnx")
    assert model.signature == Matrix(4, input="X", datatype="FP32")
    warm_up(model)


def test_a_regressor_answers_a_number_a_row(data: Data, tmp_path: Path) -> None:
    rows = data.rows.astype(np.float32)
    fitted = LinearRegression().fit(rows, data.number)
    predicted = converted(fitted, rows, tmp_path / "m.onnx").predict((data.rows,))
    np.testing.assert_allclose(predicted.values, fitted.predict(rows), atol=1e-5)
    assert predicted.confidence is None


def test_what_else_a_model_tells_is_told_by_its_names(data: Data, tmp_path: Path) -> None:
    rows = data.rows.astype(np.float32)
    fitted = OneClassSVM().fit(rows)
    model = converted(fitted, rows, tmp_path / "m.onnx")
    predicted = model.predict((data.rows,))
    assert predicted.values.tolist() == fitted.predict(rows).tolist()
    np.testing.assert_allclose(predicted.others["scores"][:, 0], fitted.decision_function(rows), atol=1e-4)
    assert model.details["outputs"] == ["label", "scores"]


def test_columns_of_mixed_kinds_are_a_table(tmp_path: Path) -> None:
    frame = pd.DataFrame({"age": np.arange(20, dtype=np.float32), "city": ["Oslo", "Rome"] * 10})
    target = [0, 1] * 10
    estimator = make_pipeline(
        make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(), ["city"])), LogisticRegression()
    ).fit(frame, target)
    model = converted(estimator, frame, tmp_path / "m.onnx")
    assert model.signature == Table((Column("age", "FP32"), Column("city", "BYTES")))
    predicted = model.predict(model.signature.rows(frame.to_dict("records")).inputs)
    assert predicted.values.tolist() == estimator.predict(frame).tolist()
    warm_up(model)


def test_several_tensors_are_taken_by_name_and_cast_to_what_the_model_takes(tmp_path: Path) -> None:
    path = built(
        tmp_path / "m.onnx",
        [
            helper.make_node("Gather", ["table", "place"], ["taken"]),
            helper.make_node("ReduceSum", ["image"], ["sum"], keepdims=0),
            helper.make_node("Identity", ["image"], ["echo"]),
            helper.make_node("Identity", ["place"], ["where"]),
        ],
        [tensor("image", FLOAT, "rows", 2, 2), tensor("place", WHOLE, "rows"), tensor("table", FLOAT, "any")],
        [tensor("taken", FLOAT, "rows"), tensor("echo", FLOAT, "rows", 2, 2), tensor("where", WHOLE, "rows")],
    )
    model: Any = loader.load(Artifact(path, IMAGE)).model
    assert model.signature == Tensors(
        (TensorSpec("image", "FP32", (2, 2)), TensorSpec("place", "INT64"), TensorSpec("table", "FP32"))
    )
    rows = model.signature.rows([{"image": [[1, 2], [3, 4]], "place": place, "table": place * 10} for place in (0, 1)])
    predicted = model.predict(rows.inputs)
    assert predicted.values.tolist() == [0.0, 10.0]
    assert predicted.others["echo"].shape == (2, 2, 2)
    assert predicted.others["where"].tolist() == [0, 1]


def test_a_model_of_a_fixed_number_of_rows_serves_any(tmp_path: Path) -> None:
    doubled = helper.make_node("Add", ["x", "x"], ["y"])
    path = built(tmp_path / "m.onnx", [doubled], [tensor("x", FLOAT, 4, 3)], [tensor("y", FLOAT, 4, 3)])
    model = loader.load(Artifact(path, IMAGE)).model
    rows = np.arange(30.0).reshape(10, 3)
    assert model.predict((rows,)).values.tolist() == (rows * 2).tolist()


def test_what_is_declared_must_be_what_the_model_takes(data: Data, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    converted(LinearRegression().fit(data.rows, data.number), data.rows.astype(np.float32), path)
    named = tuple(TensorSpec(name, "FP64") for name in "abcd")
    model = loader.load(Artifact(path, IMAGE, 1, named)).model
    assert model.signature.names == ("a", "b", "c", "d")
    assert model.predict((data.rows,)).values.shape == (120,)
    with pytest.raises(Fatal, match=r"3 inputs .* there, but the model takes 4 numbers") as failed:
        loader.load(Artifact(path, IMAGE, 1, named[:3]))
    assert failed.value.reason is Reason.MODEL_SIGNATURE_MISMATCH


def test_the_only_onnx_file_of_a_folder_is_taken(data: Data, tmp_path: Path) -> None:
    converted(LinearRegression().fit(data.rows, data.number), data.rows.astype(np.float32), tmp_path / "m.onnx")
    assert loader.load(Artifact(tmp_path, IMAGE)).model.signature.features == 4
    (tmp_path / "n.onnx").write_bytes(b"")
    with pytest.raises(Fatal, match=r"holds 2 .onnx files; name one"):
        loader.load(Artifact(tmp_path, IMAGE))


@pytest.mark.parametrize("content", [b"", b"garbage", b"<html>", b'{"a": 1}'])
def test_what_is_no_onnx_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(Fatal, match=r"onnxruntime .* cannot load the artifact") as failed:
        loader.load(Artifact(tmp_path / "m.onnx", IMAGE))
    assert failed.value.reason is Reason.MODEL_LOAD_FAILED


def test_an_input_without_rows_is_refused(tmp_path: Path) -> None:
    doubled = helper.make_node("Add", ["x", "x"], ["y"])
    path = built(tmp_path / "m.onnx", [doubled], [tensor("x", FLOAT)], [tensor("y", FLOAT)])
    with pytest.raises(Fatal, match="export it with inputs that are tensors, whose first dimension is the rows"):
        loader.load(Artifact(path, IMAGE))
