"""MLflow model folders, as mlflow's own save_model writes them, are served by their flavors."""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
import xgboost
from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.loading import load, warm_up
from mlneuron_runtime.models import mlflow as loader
from mlneuron_runtime.models.base import Artifact, Loaded
from mlneuron_runtime.settings import Input, ModelSource
from mlneuron_runtime.signature import Column, Matrix, Table
from mlneuron_runtime.sources import note
from mlneuron_runtime.tensors import TensorSpec
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

IMAGE = "registry.test/mlneuron-runtime:1"

FRAME = pd.DataFrame({"age": np.arange(20.0), "visits": np.arange(20), "city": ["Oslo", "Rome"] * 10})
NUMBERS = FRAME[["age", "visits"]]
TARGET = np.tile([0, 1, 1, 0], 5)

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning", "ignore:.torch.jit:DeprecationWarning")


@pytest.fixture(scope="module")
def mlflow() -> Iterator[Any]:
    """The library with the flavors, whose own code warns of itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow
        import mlflow.onnx
        import mlflow.sklearn
        import mlflow.xgboost

        yield mlflow


def saved(mlflow: Any, flavor: str, model: Any, folder: Path, example: Any = None, **arguments: Any) -> Path:
    """The model's folder, with the signature of the example."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signature = None if example is None else mlflow.models.infer_signature(example)
        held = {"python_model": model} if flavor == "pyfunc" else {}
        positional = () if held else (model,)
        getattr(mlflow, flavor).save_model(
            *positional, path=str(folder / "model"), signature=signature,
            pip_requirements=arguments.pop("pip_requirements", ["numpy"]), **held, **arguments,
        )  # fmt: skip
    return folder / "model"


def served(folder: Path, *declared: TensorSpec, pinned: bool = False) -> Loaded:
    made = loader.load(Artifact(folder, IMAGE, 1, declared, pinned))
    warm_up(made.model)
    return made


@pytest.mark.parametrize("form", ["cloudpickle", "pickle", "skops"])
def test_an_sklearn_model_is_served_as_itself(mlflow: Any, tmp_path: Path, form: str) -> None:
    fitted = LogisticRegression().fit(NUMBERS, TARGET)
    made = served(saved(mlflow, "sklearn", fitted, tmp_path, NUMBERS, serialization_format=form))
    predicted = made.model.predict((NUMBERS.to_numpy(),))
    assert predicted.values.tolist() == fitted.predict(NUMBERS).tolist()
    assert predicted.confidence is not None
    assert (made.framework, made.model.type, made.warnings) == ("sklearn", "sklearn_logistic_regression", ())
    assert made.model.signature == Matrix(2, ("age", "visits"), whole=(1,))


def test_the_signature_of_mixed_columns_is_the_mlmodels(mlflow: Any, tmp_path: Path) -> None:
    reader = make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(handle_unknown="ignore"), ["city"]))
    fitted = make_pipeline(reader, LogisticRegression()).fit(FRAME, TARGET)
    model = served(saved(mlflow, "sklearn", fitted, tmp_path, FRAME, serialization_format="pickle")).model
    assert [(spec.name, spec.datatype) for spec in model.signature.inputs] == [("age", "FP64"), ("city", "BYTES")]
    inputs = model.signature.rows(FRAME.to_dict("records")).inputs
    assert model.predict(inputs).values.tolist() == fitted.predict(FRAME).tolist()
    with pytest.raises(InvalidInput, match=r"features.city is a number; send a string"):
        model.signature.row({"age": 3, "city": 5})


def test_a_signature_of_a_tensor_is_a_matrix(mlflow: Any, tmp_path: Path) -> None:
    fitted = LinearRegression().fit(NUMBERS.to_numpy(), TARGET)
    made = served(saved(mlflow, "sklearn", fitted, tmp_path, NUMBERS.to_numpy(), serialization_format="pickle"))
    assert made.model.signature == Matrix(2)


@pytest.mark.parametrize("native", [True, False])
def test_an_xgboost_model_is_read_from_its_own_format(mlflow: Any, tmp_path: Path, native: bool) -> None:
    wrapper = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(NUMBERS, TARGET)
    made = served(saved(mlflow, "xgboost", wrapper.get_booster() if native else wrapper, tmp_path, NUMBERS))
    predicted = made.model.predict((NUMBERS.to_numpy(),))
    assert predicted.values.tolist() == wrapper.predict(NUMBERS).tolist()
    assert (made.framework, made.model.type) == ("xgboost", "xgboost_classifier")
    assert made.model.signature.names == ("age", "visits")


def test_an_onnx_model_runs_in_onnxruntime(mlflow: Any, tmp_path: Path) -> None:
    from skl2onnx import to_onnx

    rows = NUMBERS.to_numpy(np.float32)
    fitted = LogisticRegression().fit(rows, TARGET)
    made = served(saved(mlflow, "onnx", to_onnx(fitted, rows[:1]), tmp_path, rows))
    assert made.model.predict((rows,)).values.tolist() == fitted.predict(rows).tolist()
    assert (made.framework, made.engine) == ("onnx", "onnxruntime")


@pytest.mark.parametrize("form", ["pickle", "pt2"])
def test_a_torch_module_is_served_as_itself(mlflow: Any, tmp_path: Path, form: str) -> None:
    torch = pytest.importorskip("torch", reason="the torch extra is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pytorch
    torch.manual_seed(0)
    module = torch.nn.Linear(2, 1).eval()
    rows = NUMBERS.to_numpy(np.float32)
    folder = saved(mlflow, "pytorch", module, tmp_path, rows, input_example=rows, serialization_format=form)
    made = served(folder)
    with torch.inference_mode():
        wanted = module(torch.from_numpy(rows)).numpy()[:, 0]
    np.testing.assert_allclose(made.model.predict((rows.astype(float),)).values, wanted, rtol=1e-4, atol=1e-5)
    assert (made.framework, made.model.signature.features) == ("torch", 2)


def total(model_input: pd.DataFrame) -> Any:
    """A python_function that minds its columns' types."""
    assert model_input["visits"].dtype == np.int64
    return model_input["age"] + model_input["visits"] * model_input["city"].str.len()


def test_any_other_flavor_is_served_by_its_python_function(mlflow: Any, tmp_path: Path) -> None:
    made = served(saved(mlflow, "pyfunc", total, tmp_path, FRAME, pip_requirements=["pandas==0.0.1", "numpy"]))
    assert made.model.signature == Table((Column("age"), Column("visits", "INT64"), Column("city", "BYTES")))
    inputs = made.model.signature.rows(FRAME.to_dict("records")).inputs
    assert made.model.predict(inputs).values.tolist() == total(FRAME).tolist()
    assert (made.framework, made.engine, made.model.type) == ("pyfunc", "mlflow", "mlflow_pyfunc")
    (warned,) = made.warnings
    assert warned.reason == "VersionSkew"
    assert f"trained with pandas 0.0.1, served with pandas {pd.__version__}" in warned.message


def test_a_native_flavor_needs_no_mlflow(mlflow: Any, tmp_path: Path) -> None:
    folder = saved(mlflow, "sklearn", LinearRegression().fit(NUMBERS, TARGET), tmp_path, NUMBERS,
                   serialization_format="pickle")  # fmt: skip
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "mlflow"}
    try:
        served(folder)
        assert "mlflow" not in sys.modules
    finally:
        sys.modules.update(before)


def rewritten(folder: Path, old: str, new: str) -> Path:
    path = folder / "MLmodel"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return folder


def test_versions_that_the_mlmodel_recorded_are_compared(mlflow: Any, tmp_path: Path) -> None:
    folder = saved(mlflow, "sklearn", LinearRegression().fit(NUMBERS, TARGET), tmp_path, NUMBERS,
                   serialization_format="pickle")  # fmt: skip
    rewritten(folder, f"sklearn_version: {sklearn.__version__}", "sklearn_version: 1.2.3")
    rewritten(folder, "python_version: 3.", "python_version: 2.")
    told = [warned.message for warned in served(folder).warnings]
    assert told[0].startswith(f"trained with scikit-learn 1.2.3, served with {sklearn.__version__}: answers may differ")
    assert told[1].startswith("trained with Python 2.")


def test_what_is_declared_must_be_the_mlmodels(mlflow: Any, tmp_path: Path) -> None:
    folder = saved(mlflow, "sklearn", LinearRegression().fit(NUMBERS, TARGET), tmp_path, NUMBERS,
                   serialization_format="pickle")  # fmt: skip
    served(folder, TensorSpec("age", "FP64"), TensorSpec("visits", "INT64"))
    with pytest.raises(
        Fatal, match=r"spec.model.inputs: .*\(input 2 is 'city' there, 'visits' in the model\)"
    ) as failed:
        served(folder, TensorSpec("age", "FP64"), TensorSpec("city", "FP64"))
    assert failed.value.reason is Reason.MODEL_SIGNATURE_MISMATCH


def test_a_signature_that_contradicts_the_model_is_refused(mlflow: Any, tmp_path: Path) -> None:
    folder = saved(mlflow, "sklearn", LinearRegression().fit(NUMBERS.to_numpy(), TARGET), tmp_path, FRAME,
                   serialization_format="pickle")  # fmt: skip
    with pytest.raises(Fatal, match=r"the MLmodel's signature: 3 inputs .* there, but the model takes 2 numbers"):
        served(folder)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("flavors: [", "cannot be read"),
        ("{}", "cannot be read"),
        ("flavors: {}", "it has the flavors none, of which none can be served"),
        ("flavors: {sklearn: {pickled_model: ../../etc/passwd}}", "which is not in the folder"),
        ("flavors: {sklearn: {pickled_model: absent.pkl}}", "it names absent.pkl, which is not in the folder"),
        (
            """{flavors: {}, signature: {inputs: '[{"type": "datetime", "name": "day"}]'}}""",
            "'day' is of type datetime",
        ),
    ],
)
def test_a_folder_that_is_no_mlflow_model_is_refused(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "MLmodel").write_text(content)
    with pytest.raises(Fatal, match=told) as failed:
        loader.load(Artifact(tmp_path, IMAGE))
    assert failed.value.reason is Reason.MODEL_LOAD_FAILED


def test_another_folder_or_file_is_told_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="the artifact is a folder without MLmodel, not an MLflow model"):
        loader.load(Artifact(tmp_path, IMAGE))
    (tmp_path / "m").write_bytes(b"garbage")
    with pytest.raises(Fatal, match="the artifact is an unknown format, not an MLflow model"):
        loader.load(Artifact(tmp_path / "m", IMAGE))


def test_the_registrys_version_is_served_where_the_manifest_has_none(mlflow: Any, tmp_path: Path) -> None:
    folder = saved(mlflow, "sklearn", LinearRegression().fit(NUMBERS, TARGET), tmp_path, NUMBERS,
                   serialization_format="pickle")  # fmt: skip
    note.write(folder, note.Note("churn", "7"))
    source = ModelSource(
        name="churn", framework="mlflow", uri="models:/churn@champion", path=str(folder), acceleration="Off",
        inputs=[Input("age"), Input("visits", "INT64")],
    )  # fmt: skip
    made = load(source, IMAGE, 1)
    assert (made.version, made.framework, made.engine) == ("7", "sklearn", "sklearn")
    assert len(made.sha256) == 64
    source.version = "1.0.0"
    assert load(source, IMAGE, 1).version == "1.0.0"
