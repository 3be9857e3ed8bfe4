"""Every kind of estimator answers what its own `predict` says, with its confidence."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
import structlog
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.models import sklearn as loader
from mlneuron_runtime.models.base import Artifact
from mlneuron_runtime.signature import Matrix
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import DBSCAN, KMeans
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    RidgeClassifier,
    SGDClassifier,
    SGDOneClassSVM,
)
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, LocalOutlierFactor, NearestNeighbors, RadiusNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, StandardScaler
from sklearn.svm import SVC, LinearSVC, OneClassSVM

from tests.runtime import odd_models
from tests.runtime.models.conftest import Data

IMAGE = "registry.test/mlneuron-runtime:1"

ONE_PASS: list[Any] = [
    LogisticRegression(max_iter=500),
    make_pipeline(StandardScaler(), LogisticRegression()),
    GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.1, 1]}, cv=2),
    RandomForestClassifier(n_estimators=7, random_state=0),
    ExtraTreesClassifier(n_estimators=7, random_state=0),
    GradientBoostingClassifier(n_estimators=5),
    HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5),
    AdaBoostClassifier(n_estimators=5),
    KNeighborsClassifier(4),
    GaussianNB(),
    LinearDiscriminantAnalysis(),
    CalibratedClassifierCV(LogisticRegression(max_iter=500), cv=2),
    MLPClassifier((4,), max_iter=2000, tol=0.01, random_state=0),
]

ASKED_TWICE: list[Any] = [
    CalibratedClassifierCV(SVC(), cv=2, ensemble=False),
    OneVsRestClassifier(LogisticRegression()),
    SGDClassifier(loss="modified_huber", random_state=0),
]

WITHOUT_CONFIDENCE: list[Any] = [
    LinearSVC(),
    RidgeClassifier(),
    SVC(),
    OneVsRestClassifier(LinearSVC()),
]


class Contrary(LogisticRegression):  # type: ignore[misc]  # sklearn has no types
    """A user's subclass, whose prediction is not the most probable class."""

    def predict(self, X: Any) -> Any:
        return self.classes_.take(self.predict_proba(X).argmin(axis=1))


def model(estimator: Any) -> loader.SklearnModel:
    return loader.SklearnModel(estimator)


@pytest.mark.parametrize("estimator", ONE_PASS, ids=lambda estimator: type(estimator).__name__)
@pytest.mark.parametrize("target", ["binary", "three", "words"])
def test_one_pass_gives_what_predict_and_predict_proba_say(data: Data, estimator: Any, target: str) -> None:
    fitted = estimator.fit(data.rows, getattr(data, target))
    predicted = model(fitted).predict((data.rows,))
    assert predicted.values.tolist() == fitted.predict(data.rows).tolist()
    assert predicted.confidence is not None
    np.testing.assert_allclose(predicted.confidence, fitted.predict_proba(data.rows).max(axis=1))


@pytest.mark.parametrize("estimator", [*ASKED_TWICE, Contrary(max_iter=500)], ids=lambda it: type(it).__name__)
def test_a_classifier_that_may_disagree_with_its_probabilities_is_believed(data: Data, estimator: Any) -> None:
    fitted = estimator.fit(data.rows, data.words)
    predicted = model(fitted).predict((data.rows,))
    assert predicted.values.tolist() == fitted.predict(data.rows).tolist()
    columns = np.searchsorted(fitted.classes_, predicted.values)
    assert predicted.confidence is not None
    np.testing.assert_allclose(predicted.confidence, fitted.predict_proba(data.rows)[np.arange(120), columns])


def test_a_moved_threshold_decides(data: Data) -> None:
    fitted = FixedThresholdClassifier(LogisticRegression(), threshold=0.99).fit(data.rows, data.binary)
    predicted = model(fitted).predict((data.rows,))
    assert predicted.values.tolist() == fitted.predict(data.rows).tolist()
    assert predicted.confidence is not None
    assert predicted.confidence.min() < 0.5


def test_an_outlier_label_that_is_no_class_has_the_best_classs_confidence(data: Data) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = RadiusNeighborsClassifier(1.0, outlier_label=-1).fit(data.rows, data.three)
        predicted = model(fitted).predict((np.vstack([data.rows[:3], np.full((1, 4), 99.0)]),))
    assert predicted.values.tolist()[-1] == -1


@pytest.mark.parametrize("estimator", WITHOUT_CONFIDENCE, ids=lambda estimator: type(estimator).__name__)
def test_a_classifier_with_margins_only_has_no_confidence(data: Data, estimator: Any) -> None:
    fitted = estimator.fit(data.rows, data.words)
    predicted = model(fitted).predict((data.rows,))
    assert predicted.values.tolist() == fitted.predict(data.rows).tolist()
    assert predicted.confidence is None


def test_regressors_answer_numbers(data: Data) -> None:
    for target in (data.number, data.number.reshape(-1, 1)):
        predicted = model(LinearRegression().fit(data.rows, target)).predict((data.rows[:5],))
        assert predicted.values.tolist() == pytest.approx(data.number[:5].tolist())
        assert predicted.confidence is None


def test_several_outputs_are_a_list_a_row(data: Data) -> None:
    two_numbers = np.stack([data.number, -data.number], axis=1)
    two_labels = np.stack([data.binary, data.three > 1], axis=1).astype(int)
    for fitted in (
        RandomForestRegressor(5, random_state=0).fit(data.rows, two_numbers),
        RandomForestClassifier(5, random_state=0).fit(data.rows, two_labels),
        MultiOutputClassifier(LogisticRegression()).fit(data.rows, two_labels),
        MLPClassifier((4,), max_iter=2000, tol=0.01, random_state=0).fit(data.rows, two_labels),
        OneVsRestClassifier(LogisticRegression()).fit(data.rows, two_labels),
    ):
        predicted = model(fitted).predict((data.rows[:3],))
        assert predicted.values.tolist() == fitted.predict(data.rows[:3]).tolist()
        assert predicted.values.shape == (3, 2)
        assert predicted.confidence is None


def test_an_outlier_detector_answers_its_own_labels(data: Data) -> None:
    fitted = IsolationForest(n_estimators=10, random_state=0).fit(data.rows)
    assert set(model(fitted).predict((data.rows,)).values.tolist()) <= {1, -1}


def test_the_signature_and_the_type_are_the_estimators(data: Data) -> None:
    fitted = model(make_pipeline(StandardScaler(), RandomForestClassifier(3)).fit(data.rows, data.words))
    assert fitted.signature.features == 4
    assert fitted.type == "sklearn_random_forest_classifier"
    assert fitted.details == {"classes": ["setosa", "versicolor", "virginica"]}


def test_a_pipeline_that_does_not_know_its_width_takes_any() -> None:
    unsaid = make_pipeline(FunctionTransformer(), odd_models.Summing())
    assert model(unsaid).signature.features is None


def test_what_joblib_or_pickle_wrote_is_loaded(data: Data, tmp_path: Path) -> None:
    fitted = LogisticRegression().fit(data.rows, data.binary)
    joblib.dump(fitted, tmp_path / "a.joblib")
    joblib.dump(fitted, tmp_path / "b.joblib", compress=3)
    (tmp_path / "c.pkl").write_bytes(pickle.dumps(fitted))
    for name in ("a.joblib", "b.joblib", "c.pkl"):
        loaded = loader.load(Artifact(tmp_path / name, IMAGE)).model
        assert loaded.predict((data.rows,)).values.tolist() == fitted.predict(data.rows).tolist()


def broken(path: Path, content: bytes) -> Fatal:
    path.write_bytes(content)
    with pytest.raises(Fatal) as failed:
        loader.load(Artifact(path, IMAGE))
    assert failed.value.reason is Reason.MODEL_LOAD_FAILED
    return failed.value


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "an empty file"),
        (b"garbage", "an unknown format"),
        (b"<html>Sign in</html>", "an HTML or XML page"),
        (b'{"learner": {}}', "an xgboost model or other JSON"),
        (pickle.dumps(LogisticRegression())[:-20], "a pickle"),
    ],
)
def test_a_file_that_is_no_pickle_is_told_by_what_it_looks_like(tmp_path: Path, content: bytes, told: str) -> None:
    assert told in broken(tmp_path / "m.joblib", content).message


def test_a_missing_module_is_named_with_the_image(tmp_path: Path) -> None:
    failure = broken(tmp_path / "m.joblib", b"cno_such_module\nModel\n.")
    assert "needs the Python module 'no_such_module', which registry.test/mlneuron-runtime:1" in failure.message


def test_a_missing_class_is_named(tmp_path: Path) -> None:
    assert "NoSuchModel" in broken(tmp_path / "m.joblib", b"csklearn.linear_model\nNoSuchModel\n.").message


def test_what_cannot_predict_is_refused(tmp_path: Path) -> None:
    failure = broken(tmp_path / "m.joblib", pickle.dumps({"weights": [1, 2]}))
    assert "holds a builtins.dict, which has no predict method" in failure.message


@pytest.mark.parametrize("estimator", [LogisticRegression(), make_pipeline(StandardScaler(), LinearSVC())])
def test_a_model_saved_before_it_was_trained_is_refused(tmp_path: Path, estimator: Any) -> None:
    failure = broken(tmp_path / "m.joblib", pickle.dumps(estimator))
    assert "that is not fitted; call fit before saving it" in failure.message


def test_a_users_class_is_not_asked_whether_it_is_trained(tmp_path: Path) -> None:
    joblib.dump(odd_models.SummingTwo(), tmp_path / "m.joblib")
    assert loader.load(Artifact(tmp_path / "m.joblib", IMAGE)).model.signature.features == 2


def test_a_version_skew_is_a_structured_warning_and_not_fatal(data: Data, tmp_path: Path) -> None:
    fitted = LogisticRegression().fit(data.rows, data.binary)
    state = pickle.dumps(fitted)
    version = sklearn.__version__.encode()
    aged = state.replace(bytes([len(version)]) + version, bytes([len(version)]) + b"0" + version[1:])
    (tmp_path / "m.pkl").write_bytes(aged)
    with structlog.testing.capture_logs() as events:
        made = loader.load(Artifact(tmp_path / "m.pkl", IMAGE))
    assert made.model.predict((data.rows,)).values.tolist() == fitted.predict(data.rows).tolist()
    (told,) = [event for event in events if event["log_level"] == "warning"]
    assert told["estimator"] == "LogisticRegression"
    assert told["trained_with"] == (b"0" + version[1:]).decode()
    assert told["serving_with"] == sklearn.__version__
    (warned,) = made.warnings
    assert warned.reason == "VersionSkew"
    assert warned.message.startswith(
        f"trained with scikit-learn {told['trained_with']}, served with {sklearn.__version__}: "
    )


@pytest.mark.parametrize(
    "detector",
    [
        IsolationForest(n_estimators=10, random_state=0),
        LocalOutlierFactor(novelty=True),
        EllipticEnvelope(random_state=0),
        SGDOneClassSVM(random_state=0),
        make_pipeline(StandardScaler(), IsolationForest(n_estimators=10, random_state=0)),
    ],
    ids=lambda detector: type(detector).__name__,
)
def test_an_outlier_detector_tells_its_score_beside_its_label(data: Data, detector: Any) -> None:
    fitted = detector.fit(data.rows)
    predicted = model(fitted).predict((data.rows,))
    assert predicted.values.tolist() == fitted.predict(data.rows).tolist()
    assert predicted.confidence is None
    np.testing.assert_allclose(predicted.others["score"], fitted.decision_function(data.rows))


def test_an_outlier_detector_of_another_kind_answers_its_label_alone(data: Data) -> None:
    fitted = OneClassSVM().fit(data.rows)
    predicted = model(fitted).predict((data.rows,))
    assert predicted.values.tolist() == fitted.predict(data.rows).tolist()
    assert not predicted.others


def test_a_clusterer_answers_the_cluster(data: Data) -> None:
    fitted = KMeans(3, n_init=1, random_state=0).fit(data.rows)
    assert model(fitted).predict((data.rows,)).values.tolist() == fitted.predict(data.rows).tolist()


@pytest.mark.parametrize(
    "transformer",
    [PCA(2), StandardScaler(), KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"),
     make_pipeline(StandardScaler(), PCA(2))],
    ids=lambda transformer: type(transformer).__name__,
)  # fmt: skip
def test_a_transformer_answers_what_it_makes_of_a_row(data: Data, transformer: Any) -> None:
    fitted = transformer.fit(data.rows)
    made = fitted.transform(data.rows)
    predicted = model(fitted).predict((data.rows,))
    np.testing.assert_allclose(predicted.values, made.toarray() if hasattr(made, "toarray") else made)
    assert predicted.confidence is None


@pytest.mark.parametrize("estimator", [DBSCAN(), NearestNeighbors()])
def test_what_neither_predicts_nor_transforms_is_refused(data: Data, tmp_path: Path, estimator: Any) -> None:
    failure = broken(tmp_path / "m.joblib", pickle.dumps(estimator.fit(data.rows)))
    assert "which has no predict method" in failure.message


@pytest.mark.parametrize(
    ("estimator", "takes"),
    [
        (HistGradientBoostingClassifier(max_iter=3), True),
        (make_pipeline(SimpleImputer(), LogisticRegression()), True),
        (make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=3)), True),
        (make_pipeline(StandardScaler(), LogisticRegression()), False),
        (LogisticRegression(), False),
    ],
    ids=str,
)
def test_missing_values_are_taken_where_the_estimators_say_so(data: Data, estimator: Any, takes: bool) -> None:
    made = model(estimator.fit(data.rows, data.binary))
    assert isinstance(made.signature, Matrix)
    assert made.signature.nullable is takes
    if takes:
        gaps = np.where(np.arange(4) == 2, np.nan, data.rows)
        assert made.predict((gaps,)).values.tolist() == estimator.predict(gaps).tolist()
