"""A booster's objective says what its numbers mean, and its wrappers answer as they do in training."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import xgboost
from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.models import xgboost as loader
from mlneuron_runtime.models.base import Artifact
from mlneuron_runtime.signature import Matrix
from sklearn.linear_model import LogisticRegression

from tests.runtime.models.conftest import Data

IMAGE = "registry.test/mlneuron-runtime:1"


def trained(data: Data, target: Any, **parameters: Any) -> xgboost.Booster:
    return xgboost.train({"nthread": 1, **parameters}, xgboost.DMatrix(data.rows, target), 4)


def loaded(booster: Any, path: Path) -> Any:
    booster.save_model(path)
    return loader.load(Artifact(path, IMAGE)).model


@pytest.mark.parametrize("extension", ["json", "ubj", "model"])
def test_a_binary_classifier_answers_the_class_and_its_probability(data: Data, tmp_path: Path, extension: str) -> None:
    booster = trained(data, data.binary, objective="binary:logistic")
    path = tmp_path / f"m.{extension}"
    booster.save_model(tmp_path / "saved.ubj")
    (tmp_path / "saved.ubj").rename(path) if extension == "model" else booster.save_model(path)
    predicted: Any = loader.load(Artifact(path, IMAGE)).model.predict((data.rows,))
    probabilities = booster.predict(xgboost.DMatrix(data.rows))
    assert predicted.values.tolist() == (probabilities > 0.5).astype(int).tolist()
    np.testing.assert_allclose(predicted.confidence, np.where(probabilities > 0.5, probabilities, 1 - probabilities))


def test_log_odds_answer_as_their_logistic_twin(data: Data, tmp_path: Path) -> None:
    raw = trained(data, data.binary, objective="binary:logitraw", base_score=0.5)
    margins = raw.predict(xgboost.DMatrix(data.rows), output_margin=True)
    predicted = loaded(raw, tmp_path / "m.json").predict((data.rows,))
    assert predicted.values.tolist() == (margins > 0).astype(int).tolist()
    np.testing.assert_allclose(predicted.confidence, 1 / (1 + np.exp(-np.abs(margins))), rtol=1e-5)


@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
def test_a_classifier_of_three_answers_class_and_probability_in_one_pass(
    data: Data, tmp_path: Path, objective: str
) -> None:
    predicted = loaded(trained(data, data.three, objective=objective, num_class=3), tmp_path / "m.json").predict(
        (data.rows,)
    )
    twin = trained(data, data.three, objective="multi:softprob", num_class=3)
    probabilities = twin.predict(xgboost.DMatrix(data.rows))
    assert predicted.values.tolist() == probabilities.argmax(axis=1).tolist()
    np.testing.assert_allclose(predicted.confidence, probabilities.max(axis=1), rtol=1e-5)


@pytest.mark.parametrize(
    ("parameters", "target"),
    [
        ({"objective": "reg:squarederror"}, "number"),
        ({"objective": "reg:squarederror", "booster": "gblinear"}, "number"),
        ({"objective": "reg:squarederror", "booster": "dart"}, "number"),
        ({"objective": "count:poisson"}, "three"),
    ],
)
def test_a_regressor_answers_its_number(data: Data, tmp_path: Path, parameters: Any, target: str) -> None:
    booster = trained(data, getattr(data, target), **parameters)
    predicted = loaded(booster, tmp_path / "m.ubj").predict((data.rows,))
    np.testing.assert_allclose(predicted.values, booster.predict(xgboost.DMatrix(data.rows)), rtol=1e-6)
    assert predicted.confidence is None


def test_several_targets_are_a_list_a_row(data: Data, tmp_path: Path) -> None:
    numbers = loaded(trained(data, data.rows[:, :2]), tmp_path / "n.json").predict((data.rows[:3],))
    assert numbers.values.shape == (3, 2)
    labels = np.stack([data.binary, 1 - data.binary], axis=1)
    several = loaded(trained(data, labels, objective="binary:logistic"), tmp_path / "l.json").predict((data.rows,))
    assert several.values.tolist() == labels.tolist()
    assert several.confidence is None


def test_hinge_has_no_confidence(data: Data, tmp_path: Path) -> None:
    predicted = loaded(trained(data, data.binary, objective="binary:hinge"), tmp_path / "m.json").predict((data.rows,))
    assert set(predicted.values.tolist()) == {0, 1}
    assert predicted.confidence is None


def test_a_booster_that_stopped_early_answers_from_its_best_iteration(data: Data, tmp_path: Path) -> None:
    matrix = xgboost.DMatrix(data.rows[:60], data.binary[:60])
    held_out = xgboost.DMatrix(data.rows[60:], 1 - data.binary[60:])
    booster = xgboost.train(
        {"objective": "binary:logistic", "nthread": 1}, matrix, 50,
        evals=[(held_out, "held_out")], early_stopping_rounds=3, verbose_eval=False,
    )  # fmt: skip
    assert booster.best_iteration < booster.num_boosted_rounds() - 1
    best = booster.predict(xgboost.DMatrix(data.rows), iteration_range=(0, booster.best_iteration + 1))
    predicted = loaded(booster, tmp_path / "m.json").predict((data.rows,))
    np.testing.assert_allclose(predicted.confidence, np.maximum(best, 1 - best))


def test_what_is_told_of_a_booster(data: Data, tmp_path: Path) -> None:
    model = loaded(trained(data, data.binary, objective="binary:logistic"), tmp_path / "m.json")
    assert model.signature.features == 4
    assert model.type == "xgboost_classifier"
    assert model.details == {"objective": "binary:logistic"}


@pytest.mark.parametrize("wrapper", [xgboost.XGBClassifier, xgboost.XGBRegressor])
def test_a_pickled_wrapper_answers_as_itself(data: Data, tmp_path: Path, wrapper: Any) -> None:
    fitted = wrapper(n_estimators=4, n_jobs=1).fit(data.rows, data.three)
    joblib.dump(fitted, tmp_path / "m.joblib")
    model = loader.load(Artifact(tmp_path / "m.joblib", IMAGE)).model
    predicted = model.predict((data.rows,))
    assert predicted.values.tolist() == fitted.predict(data.rows).tolist()
    assert model.type == f"xgboost_{'classifier' if predicted.confidence is not None else 'regressor'}"
    assert model.signature.features == 4


def test_a_pickled_booster_is_served(data: Data, tmp_path: Path) -> None:
    joblib.dump(trained(data, data.binary, objective="binary:logistic"), tmp_path / "m.joblib")
    assert loader.load(Artifact(tmp_path / "m.joblib", IMAGE)).model.type == "xgboost_classifier"


def test_a_pickle_of_another_framework_is_told_which(data: Data, tmp_path: Path) -> None:
    joblib.dump(LogisticRegression().fit(data.rows, data.binary), tmp_path / "m.joblib")
    with pytest.raises(Fatal, match="LogisticRegression, not an xgboost model; set framework: sklearn"):
        loader.load(Artifact(tmp_path / "m.joblib", IMAGE))


@pytest.mark.parametrize(
    ("name", "content"), [("m.json", b'{"a": 1}'), ("m.ubj", b"garbage"), ("m", b"<html>"), ("m", b"")]
)
def test_what_is_no_booster_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Fatal) as failed:
        loader.load(Artifact(tmp_path / name, IMAGE))
    assert failed.value.reason is Reason.MODEL_LOAD_FAILED
    assert "Stack trace" not in failed.value.message


def test_half_a_model_is_refused_and_does_not_end_the_process(data: Data, tmp_path: Path) -> None:
    booster = trained(data, data.binary, objective="binary:logistic")
    for name in ("m.json", "m.ubj"):
        booster.save_model(tmp_path / name)
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-200])
        with pytest.raises(Fatal, match="xgboost cannot read the artifact"):
            loader.load(Artifact(tmp_path / name, IMAGE))


def test_the_content_decides_and_not_the_name(data: Data, tmp_path: Path) -> None:
    booster = trained(data, data.binary, objective="binary:logistic")
    booster.save_model(tmp_path / "m.json")
    (tmp_path / "m.json").rename(tmp_path / "m.ubj")
    assert loader.load(Artifact(tmp_path / "m.ubj", IMAGE)).model.type == "xgboost_classifier"


def test_missing_values_are_taken_by_trees_and_not_by_linear_boosters(data: Data, tmp_path: Path) -> None:
    model = loaded(trained(data, data.binary, objective="binary:logistic"), tmp_path / "m.json")
    gaps = np.where(np.arange(4) == 1, np.nan, data.rows)
    inputs = model.signature.rows([[1.0, None, 2.0, 3.0], [None, 1.0, 2.0, 3.0]]).inputs
    assert np.isnan(inputs[0][0, 1])
    wanted = model.booster.predict(xgboost.DMatrix(gaps))
    assert model.predict((gaps,)).values.tolist() == (wanted > 0.5).astype(int).tolist()
    linear = loaded(trained(data, data.number, booster="gblinear"), tmp_path / "l.json")
    assert not linear.signature.nullable


def categorical(data: Data) -> Any:
    return pd.DataFrame({
        "age": data.rows[:, 0],
        "city": pd.Categorical(np.tile(["Lima", "Oslo", "Rome"], 40)),
        "floor": pd.Categorical(np.tile([7, 9], 60)),
    })  # fmt: skip


@pytest.mark.parametrize("native", [True, False])
def test_categories_are_taken_as_they_were_in_training(data: Data, tmp_path: Path, native: bool) -> None:
    frame = categorical(data)
    target = (frame["city"] == "Rome").to_numpy().astype(int)
    wrapper = xgboost.XGBClassifier(n_estimators=4, n_jobs=1, enable_categorical=True).fit(frame, target)
    if native:
        wrapper.save_model(tmp_path / "m.ubj")
    else:
        joblib.dump(wrapper, tmp_path / "m.ubj")
    model: Any = loader.load(Artifact(tmp_path / "m.ubj", IMAGE)).model
    assert [(spec.name, spec.datatype) for spec in model.signature.inputs] == [
        ("age", "FP64"), ("city", "BYTES"), ("floor", "FP64"),
    ]  # fmt: skip
    inputs = model.signature.rows(frame.to_dict("records")).inputs
    assert model.predict(inputs).values.tolist() == wrapper.predict(frame).tolist()
    with pytest.raises(InvalidInput, match=r"features\[1\] is a value .* send one of Lima, Oslo, Rome"):
        model.signature.row([1.0, "Bonn", 7])
    assert model.predict(model.signature.row([None, None, None])).values.shape == (1,)


@pytest.mark.parametrize("extension", ["json", "ubj"])
def test_a_model_of_another_version_is_told(data: Data, tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"m.{extension}"
    trained(data, data.binary, objective="binary:logistic").save_model(path)
    saved_with = loader.saved_by(path) or ""
    assert saved_with == xgboost.__version__
    assert loader.load(Artifact(path, IMAGE)).warnings == ()
    *rest, patch = (int(part) for part in saved_with.split("."))
    content = path.read_bytes()
    content = content.replace(b'"version":[%d,%d,%d]' % (*rest, patch), b'"version":[%d,%d,%d]' % (*rest, patch + 7))
    ubj = b"i%ci%ci%c}"
    path.write_bytes(content.replace(ubj % (*rest, patch), ubj % (*rest, patch + 7)))
    (warned,) = loader.load(Artifact(path, IMAGE)).warnings
    assert warned.reason == "VersionSkew"
    other = ".".join(map(str, (*rest, patch + 7)))
    assert warned.message.startswith(f"trained with xgboost {other}, served with {xgboost.__version__}: answers may")


def test_categories_that_the_model_does_not_keep_whole_are_codes(data: Data, tmp_path: Path) -> None:
    frame = pd.DataFrame({"city": pd.Categorical(np.tile(["Lima", "Tromsø"], 60))})
    wrapper = xgboost.XGBClassifier(n_estimators=4, n_jobs=1, enable_categorical=True).fit(frame, data.binary)
    model = loaded(wrapper, tmp_path / "m.ubj")
    assert model.signature == Matrix(1, ("city",), nullable=True)
