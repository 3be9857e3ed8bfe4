"""Estimators fitted on data frames answer rows of their columns as they answer the frames."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.loading import warm_up
from mlneuron_runtime.models.sklearn import SklearnModel
from mlneuron_runtime.signature import Column, Matrix, Table
from mlneuron_runtime.tensors import TensorSpec
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from tests.runtime.models.conftest import Data

CITIES = ["Lima", "Oslo", "Rome"]
FRAME = pd.DataFrame({
    "age": np.tile([31.0, 44.0, 27.0, 63.0, 50.0], 12),
    "city": np.tile(CITIES, 20),
    "id": [f"user{place}" for place in range(60)],
    "member": np.tile([True, False], 30),
})  # fmt: skip
TARGET = np.where((FRAME["age"] > 40) ^ (FRAME["city"] == "Rome"), "stays", "leaves")


def encoder(**arguments: Any) -> Any:
    return make_column_transformer(
        (StandardScaler(), ["age"]), (OneHotEncoder(**arguments), ["city"]), ("passthrough", ["member"])
    )


def pipeline(**arguments: Any) -> Any:
    return make_pipeline(encoder(**arguments), LogisticRegression())


def fitted(estimator: Any) -> Any:
    return estimator.fit(FRAME, TARGET)


def rows(frame: Any) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = frame.to_dict("records")
    return records


ESTIMATORS: dict[str, Callable[[], Any]] = {
    "pipeline": pipeline,
    "grid search": lambda: GridSearchCV(pipeline(), {"logisticregression__C": [1.0, 0.1]}, cv=2),
    "calibration": lambda: CalibratedClassifierCV(pipeline(), cv=2),
    "threshold": lambda: FixedThresholdClassifier(pipeline(), threshold=0.3, response_method="predict_proba"),
    "vote": lambda: VotingClassifier([("a", pipeline()), ("b", pipeline())], voting="soft"),
    "selector": lambda: make_pipeline(
        ColumnTransformer([
            ("text", OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include=["object", "str"])),
            ("rest", StandardScaler(), make_column_selector(dtype_include=["number", "bool"])),
        ]),
        RandomForestClassifier(5, random_state=0),
    ),
    "imputed": lambda: make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), ["age"]),
            (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["city"]),
        ),
        LogisticRegression(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ESTIMATORS)
def test_rows_of_mixed_columns_are_answered_as_the_frame_is(name: str) -> None:
    estimator = fitted(ESTIMATORS[name]())
    model = SklearnModel(estimator)
    taken = model.signature.rows(rows(FRAME[:20]))
    assert not taken.faults
    predicted = model.predict(taken.inputs)
    assert predicted.values.tolist() == estimator.predict(FRAME[:20]).tolist()
    if name != "threshold":
        assert predicted.confidence is not None
        np.testing.assert_allclose(predicted.confidence, estimator.predict_proba(FRAME[:20]).max(axis=1))
    warm_up(model)


def test_the_columns_are_what_the_fitted_steps_tell() -> None:
    assert SklearnModel(fitted(pipeline())).signature == Table(
        (
            Column("age", "FP64"),
            Column("city", "BYTES", choices=frozenset(CITIES)),
            Column("member", "FP64"),
        ),
        ignored=frozenset({"id"}),
    )


def test_a_city_that_the_encoder_would_raise_on_is_told_to_the_caller() -> None:
    row = {"age": 30, "city": "Bonn", "member": True}
    with pytest.raises(
        InvalidInput, match=r"features.city is a value .* not trained with; send one of Lima, Oslo, Rome"
    ):
        SklearnModel(fitted(pipeline())).signature.row(row)
    open_minded = SklearnModel(fitted(pipeline(handle_unknown="ignore")))
    assert open_minded.predict(open_minded.signature.row(row)).values.tolist()[0] in {"stays", "leaves"}


def test_missing_values_are_taken_where_every_step_up_to_an_imputer_takes_them() -> None:
    model = SklearnModel(fitted(ESTIMATORS["imputed"]()))
    gaps = model.signature.rows([{"age": None, "city": None}, {"age": 27, "city": "Lima"}])
    frame = pd.DataFrame(
        {"age": [np.nan, 27], "city": pd.Series([np.nan, "Lima"], dtype=object), "id": "", "member": 1}
    )
    assert model.predict(gaps.inputs).values.tolist() == model.estimator.predict(frame).tolist()
    with pytest.raises(InvalidInput, match=r"features.age is null; send a number$"):
        SklearnModel(fitted(pipeline())).signature.row({"age": None, "city": "Lima", "member": True})


def test_a_missing_text_is_what_the_encoder_saw_in_training() -> None:
    for missing in (None, np.nan):
        frame = FRAME[["city"]].astype(object)
        frame.iloc[::7, 0] = missing
        estimator = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(frame, TARGET)
        model = SklearnModel(estimator)
        answered = model.predict(model.signature.rows([[None], ["Rome"]]).inputs)
        assert answered.values.tolist() == estimator.predict(frame.iloc[[0, 2]]).tolist()


def test_numbers_only_keep_the_matrix_with_their_names() -> None:
    numbers = FRAME[["age", "member"]].astype(float)
    model = SklearnModel(LogisticRegression().fit(numbers, TARGET))
    assert model.signature == Matrix(2, ("age", "member"))
    by_name = SklearnModel(
        make_pipeline(make_column_transformer((StandardScaler(), ["age", "member"])), LogisticRegression()).fit(
            numbers, TARGET
        )
    )
    assert by_name.signature == Matrix(2, ("age", "member"))
    expected = by_name.estimator.predict(numbers[:9]).tolist()
    assert by_name.predict((numbers[:9].to_numpy(),)).values.tolist() == expected


def doubled_age(frame: Any) -> Any:
    return np.stack([frame["age"] * 2, frame["member"]], axis=1)


def test_a_users_own_step_that_reads_columns_by_name_is_given_them() -> None:
    numbers = FRAME[["age", "member"]].astype(float)
    estimator = make_pipeline(FunctionTransformer(doubled_age), LogisticRegression()).fit(numbers, TARGET)
    named = SklearnModel(CarriesNames(estimator, ["age", "member"]))
    assert named.signature == Matrix(2, ("age", "member"))
    assert named.predict((numbers[:9].to_numpy(),)).values.tolist() == estimator.predict(numbers[:9]).tolist()
    unsaid = SklearnModel(estimator, (TensorSpec("age", "FP64"), TensorSpec("member", "BOOL")))
    assert unsaid.signature == Table((Column("age", "FP64"), Column("member", "BOOL")))
    inputs = unsaid.signature.rows([[31.0, True], [44.0, False]]).inputs
    assert unsaid.predict(inputs).values.tolist() == estimator.predict(FRAME[:2]).tolist()


class CarriesNames:
    """An estimator of a user's own, that keeps its columns' names as scikit-learn does."""

    def __init__(self, held: Any, names: list[str]) -> None:
        self.held = held
        self.feature_names_in_ = np.array(names, dtype=object)
        self.n_features_in_ = len(names)

    def predict(self, rows: Any) -> Any:
        return self.held.predict(rows)


def test_categories_of_histogram_boosting_are_text() -> None:
    frame = FRAME[["age", "city"]].astype({"city": "category"})
    estimator = HistGradientBoostingClassifier(max_iter=4, categorical_features="from_dtype").fit(frame, TARGET)
    model = SklearnModel(estimator)
    assert [spec.datatype for spec in model.signature.inputs] == ["FP64", "BYTES"]
    inputs = model.signature.rows([*rows(FRAME[["age", "city"]]), {"age": None, "city": None}]).inputs
    assert model.predict(inputs).values.tolist()[:-1] == estimator.predict(frame).tolist()


def test_a_row_of_a_text_pipeline_is_one_text(data: Data) -> None:
    texts = np.where(data.binary, "good and fine", "bad")
    estimator = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, data.binary)
    model = SklearnModel(estimator)
    assert model.signature == Table((Column("text", "BYTES"),))
    inputs = model.signature.rows([["good"], {"text": "bad"}]).inputs
    assert model.predict(inputs).values.tolist() == [1, 0]
    warm_up(model)
    assert SklearnModel(estimator, (TensorSpec("review", "BYTES"),)).signature.names == ("review",)


def test_a_text_column_beside_others_is_read_by_its_vectorizer() -> None:
    words = FRAME.assign(note=FRAME["city"] + " is nice")
    reader = make_column_transformer((CountVectorizer(), "note"), (StandardScaler(), ["age"]))
    estimator = make_pipeline(reader, LogisticRegression()).fit(words, TARGET)
    model = SklearnModel(estimator)
    assert [(spec.name, spec.datatype) for spec in model.signature.inputs] == [("age", "FP64"), ("note", "BYTES")]
    inputs = model.signature.rows(rows(words[["age", "note"]])).inputs
    assert model.predict(inputs).values.tolist() == estimator.predict(words).tolist()


def test_texts_fitted_as_arrays_are_columns_by_their_places() -> None:
    texts = FRAME[["city", "id"]].to_numpy(dtype=object)
    union = FeatureUnion(
        [
            ("one", OneHotEncoder(handle_unknown="ignore")),
            ("two", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
        ]
    )
    estimator = make_pipeline(union, LinearRegression()).fit(texts, FRAME["age"])
    model = SklearnModel(estimator)
    assert model.signature.names == ("x0", "x1")
    answered = model.predict(model.signature.rows(texts.tolist()).inputs)
    np.testing.assert_allclose(answered.values, estimator.predict(texts))


def test_declared_datatypes_are_taken_over_where_they_are_of_the_kind() -> None:
    said = (TensorSpec("age", "INT64"), TensorSpec("city", "BYTES"), TensorSpec("member", "FP64"))
    model = SklearnModel(fitted(pipeline()), said)
    assert [spec.datatype for spec in model.signature.inputs] == ["INT64", "BYTES", "FP64"]
    assert model.predict(model.signature.row([31, "Lima", 1])).values.shape == (1,)
    everything = (said[0], said[1], TensorSpec("id", "BYTES"), said[2])
    assert SklearnModel(fitted(pipeline()), everything).signature == model.signature


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([("age", "FP64"), ("city", "FP64"), ("member", "FP64")], "city FP64, member FP64"),
        ([("city", "BYTES"), ("age", "FP64"), ("member", "FP64")], "in another order"),
        ([("age", "FP64"), ("town", "BYTES"), ("member", "FP64")], "input 2 is 'town' there, 'city' in the model"),
        ([("age", "FP64")], r"1 input \(age FP64\) there, but the model takes 3 inputs"),
    ],
)
def test_declared_columns_must_be_the_models(said: list[tuple[str, str]], told: str) -> None:
    with pytest.raises(Fatal, match=told) as failed:
        SklearnModel(fitted(pipeline()), tuple(TensorSpec(name, datatype) for name, datatype in said))
    assert failed.value.reason is Reason.MODEL_SIGNATURE_MISMATCH
    assert failed.value.message.startswith("spec.model.inputs: ")
