"""Fitted models of many kinds, small, and whether each is expected to have a faster engine."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xgboost
from mlneuron_runtime.models.base import Model
from mlneuron_runtime.models.sklearn import SklearnModel
from mlneuron_runtime.models.xgboost import BoosterModel
from sklearn import ensemble, linear_model, naive_bayes, neighbors, neural_network, svm, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, PolynomialFeatures, StandardScaler

RANDOM = np.random.default_rng(7)
ROWS = RANDOM.normal(size=(300, 5)) * [1, 10, 0.1, 1, 1] + [0, 50, 0, 0, 0]
SCORES = ROWS[:, 0] + ROWS[:, 1] / 20 + ROWS[:, 3] ** 2 + RANDOM.normal(size=300) * 0.3
BINARY = (np.median(SCORES) < SCORES).astype(int)
THREE = np.digitize(SCORES, np.quantile(SCORES, [0.3, 0.7]))
WORDS = np.array(["low", "mid", "top"])[THREE]
TWO_OUTPUTS = np.stack([SCORES, SCORES**2], axis=1)
COARSE = np.rint(ROWS / [1, 10, 0.1, 1, 1])

Make = Callable[[], Any]


def logistic(**options: Any) -> Any:
    return linear_model.LogisticRegression(max_iter=500, **options)


ACCELERATED: Mapping[str, Make] = {
    "logistic": lambda: logistic().fit(ROWS, BINARY),
    "logistic_three": lambda: logistic().fit(ROWS, THREE),
    "logistic_words": lambda: logistic().fit(ROWS, WORDS),
    "logistic_objects": lambda: logistic().fit(ROWS, WORDS.astype(object)),
    "logistic_floats": lambda: logistic().fit(ROWS, THREE * 2.0),
    "logistic_booleans": lambda: logistic().fit(ROWS, BINARY == 1),
    "logistic_scaled": lambda: make_pipeline(StandardScaler(), logistic()).fit(ROWS, THREE),
    "logistic_ranged": lambda: make_pipeline(MinMaxScaler(), logistic()).fit(ROWS, BINARY),
    "logistic_components": lambda: make_pipeline(StandardScaler(), PCA(3), logistic()).fit(ROWS, THREE),
    "logistic_polynomial": lambda: make_pipeline(StandardScaler(), PolynomialFeatures(3), logistic()).fit(ROWS, THREE),
    "logistic_searched": lambda: GridSearchCV(logistic(), {"C": [0.1, 1]}, cv=3).fit(ROWS, THREE),
    "tree_of_ties": lambda: tree.DecisionTreeClassifier(max_depth=3, random_state=0).fit(COARSE, THREE),
    "forest": lambda: ensemble.RandomForestClassifier(20, random_state=0).fit(ROWS, BINARY),
    "forest_words": lambda: ensemble.RandomForestClassifier(20, random_state=0).fit(ROWS, WORDS),
    "forest_of_ties": lambda: ensemble.RandomForestClassifier(6, max_depth=3, random_state=0).fit(COARSE, THREE),
    "forest_of_leaves": lambda: ensemble.RandomForestClassifier(10, min_samples_leaf=5, random_state=0).fit(
        ROWS, BINARY
    ),
    "extra_trees": lambda: ensemble.ExtraTreesClassifier(20, random_state=0).fit(ROWS, THREE),
    "forest_scaled": lambda: make_pipeline(StandardScaler(), ensemble.RandomForestClassifier(10, random_state=0)).fit(
        ROWS, THREE
    ),
    "boosting": lambda: ensemble.GradientBoostingClassifier(n_estimators=15).fit(ROWS, BINARY),
    "boosting_three": lambda: ensemble.GradientBoostingClassifier(n_estimators=10).fit(ROWS, WORDS),
    "boosting_exponential": lambda: ensemble.GradientBoostingClassifier(n_estimators=10, loss="exponential").fit(
        ROWS, BINARY
    ),
    "histogram": lambda: ensemble.HistGradientBoostingClassifier(max_iter=15).fit(ROWS, BINARY),
    "histogram_three": lambda: ensemble.HistGradientBoostingClassifier(max_iter=10).fit(ROWS, WORDS),
    "histogram_with_gaps": lambda: ensemble.HistGradientBoostingClassifier(max_iter=10).fit(with_gaps(ROWS), THREE),
    "forest_regressor": lambda: ensemble.RandomForestRegressor(10, random_state=0).fit(ROWS, SCORES),
    "forest_regressor_two": lambda: ensemble.RandomForestRegressor(10, random_state=0).fit(ROWS, TWO_OUTPUTS),
    "boosting_regressor": lambda: ensemble.GradientBoostingRegressor(n_estimators=15).fit(ROWS, SCORES),
    "histogram_regressor": lambda: ensemble.HistGradientBoostingRegressor(max_iter=15).fit(ROWS, SCORES),
    "histogram_poisson": lambda: ensemble.HistGradientBoostingRegressor(max_iter=10, loss="poisson").fit(
        ROWS, np.abs(SCORES)
    ),
    "isolation_forest": lambda: ensemble.IsolationForest(n_estimators=20, random_state=0).fit(ROWS),
    "linear_svc": lambda: make_pipeline(StandardScaler(), svm.LinearSVC()).fit(ROWS, THREE),
    "calibrated": lambda: CalibratedClassifierCV(make_pipeline(StandardScaler(), svm.LinearSVC()), cv=2).fit(
        ROWS, THREE
    ),
    "calibrated_alone": lambda: CalibratedClassifierCV(svm.LinearSVC(), cv=2).fit(COARSE, THREE),
    "ridge_classifier": lambda: linear_model.RidgeClassifier().fit(ROWS, BINARY),
    "network": lambda: make_pipeline(StandardScaler(), neural_network.MLPClassifier((8,), max_iter=2000)).fit(
        ROWS, THREE
    ),
    "bayes": lambda: naive_bayes.GaussianNB().fit(ROWS, THREE),
    "linear": lambda: linear_model.LinearRegression().fit(ROWS, SCORES),
    "ridge_two": lambda: linear_model.Ridge().fit(ROWS, TWO_OUTPUTS),
    "xgboost_wrapper": lambda: xgboost.XGBClassifier(n_estimators=15).fit(ROWS, BINARY),
    "xgboost_wrapper_three": lambda: xgboost.XGBClassifier(n_estimators=10).fit(ROWS, THREE),
    "xgboost_wrapper_early": lambda: xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=2).fit(
        ROWS[:200], BINARY[:200], eval_set=[(ROWS[200:], BINARY[200:])], verbose=False
    ),
    "xgboost_wrapper_scaled": lambda: make_pipeline(StandardScaler(), xgboost.XGBClassifier(n_estimators=10)).fit(
        ROWS, THREE
    ),
    "xgboost_regressor": lambda: xgboost.XGBRegressor(n_estimators=15).fit(ROWS, SCORES),
}
"""By a name for the test. That each is accelerated rests on its being equal; whether it is faster is not tested."""

REFUSED: Mapping[str, tuple[Make, str]] = {
    "own_function": (
        lambda: make_pipeline(FunctionTransformer(np.log1p), logistic()).fit(np.abs(ROWS), BINARY), "conversion not",
    ),
    "many_classes": (
        lambda: ensemble.RandomForestClassifier(5).fit(ROWS, np.stack([BINARY, THREE], axis=1)), "several outputs",
    ),
    "neighbors": (lambda: neighbors.KNeighborsClassifier(3).fit(COARSE, THREE), "probes differ"),
    "unusual_missing": (lambda: xgboost.XGBClassifier(n_estimators=3, missing=0.0).fit(ROWS, BINARY), "missing value"),
}  # fmt: skip


def with_gaps(rows: Any) -> Any:
    holes = np.random.default_rng(1).random(rows.shape) < 0.2
    return np.where(holes, np.nan, rows)


def model(estimator: Any) -> SklearnModel:
    return SklearnModel(estimator)


def booster(objective: str, labels: Any, **options: Any) -> Model:
    trained = xgboost.train({"objective": objective, **options}, xgboost.DMatrix(ROWS, labels), 15)
    return BoosterModel(trained, lambda rows: xgboost.DMatrix(rows))


BOOSTERS: Mapping[str, Callable[[], Model]] = {
    "binary": lambda: booster("binary:logistic", BINARY),
    "softprob": lambda: booster("multi:softprob", THREE, num_class=3),
    "softmax": lambda: booster("multi:softmax", THREE, num_class=3),
    "hinge": lambda: booster("binary:hinge", BINARY),
    "numbers": lambda: booster("reg:squarederror", SCORES),
    "counts": lambda: booster("count:poisson", np.abs(SCORES)),
    "parallel": lambda: booster("reg:squarederror", SCORES, num_parallel_tree=3, subsample=0.5),
}
