"""A real server of the iris classifier, for clients that know nothing of this project."""

from collections.abc import Iterator
from pathlib import Path

import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from tests.runtime.support import Process, config_for, serving

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
LABELS = ["setosa", "virginica"]


@pytest.fixture(scope="package")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = load_iris()
    path = tmp_path_factory.mktemp("model") / "iris.joblib"
    joblib.dump(LogisticRegression(max_iter=500).fit(data.data, data.target_names[data.target]), path)
    return path


@pytest.fixture(scope="package")
def server(model: Path) -> Iterator[Process]:
    """It is called churn, 1.0.0."""
    with serving(model.parent, config_for(model)) as process:
        yield process


@pytest.fixture(scope="package")
def probabilities(model: Path) -> list[list[float]]:
    """What the model itself says of the rows."""
    told: list[list[float]] = joblib.load(model).predict_proba(ROWS).tolist()
    return told
