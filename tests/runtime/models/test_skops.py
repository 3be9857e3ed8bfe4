"""skops files hold only types that skops trusts."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
import skops.io
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.models import sklearn as loader
from mlneuron_runtime.models.base import Artifact, Loaded
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tests.runtime import odd_models
from tests.runtime.models.conftest import Data

IMAGE = "registry.test/mlneuron-runtime:1"


def loaded(path: Path, pinned: bool = False) -> Loaded:
    return loader.load(Artifact(path, IMAGE, pinned=pinned))


@pytest.mark.parametrize("name", ["m.skops", "m.joblib", "model"])
def test_the_content_decides_and_not_the_name(data: Data, tmp_path: Path, name: str) -> None:
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(data.rows, data.words)
    skops.io.dump(fitted, tmp_path / name)
    made = loaded(tmp_path / name)
    assert made.model.predict((data.rows,)).values.tolist() == fitted.predict(data.rows).tolist()
    assert made.model.type == "sklearn_logistic_regression"
    assert made.warnings == ()


@pytest.mark.parametrize("forest", [RandomForestClassifier(3), HistGradientBoostingClassifier(max_iter=3)])
def test_trees_are_trusted_in_a_file_that_is_pinned(data: Data, tmp_path: Path, forest: Any) -> None:
    fitted = forest.fit(data.rows, data.words)
    skops.io.dump(fitted, tmp_path / "m.skops")
    with pytest.raises(Fatal, match=r"skops does not trust \(sklearn\..*Tree.*\); if you trust .* pin it by") as failed:
        loaded(tmp_path / "m.skops")
    assert failed.value.reason is Reason.MODEL_LOAD_FAILED
    model = loaded(tmp_path / "m.skops", pinned=True).model
    assert model.predict((data.rows,)).values.tolist() == fitted.predict(data.rows).tolist()


def test_functions_of_numpy_are_trusted(data: Data, tmp_path: Path) -> None:
    fitted = make_pipeline(FunctionTransformer(np.tanh), LogisticRegression()).fit(data.rows, data.binary)
    skops.io.dump(fitted, tmp_path / "m.skops")
    assert (
        loaded(tmp_path / "m.skops").model.predict((data.rows,)).values.tolist() == fitted.predict(data.rows).tolist()
    )


def test_types_that_are_not_trusted_are_named_with_the_mend(tmp_path: Path) -> None:
    skops.io.dump(odd_models.SummingTwo(), tmp_path / "m.skops")
    for pinned in (False, True):
        with pytest.raises(Fatal, match=r"skops does not trust \(.*SummingTwo.*pickle it and pin") as failed:
            loaded(tmp_path / "m.skops", pinned)
        assert failed.value.reason is Reason.MODEL_LOAD_FAILED


def rewritten(path: Path, change: Any) -> None:
    """With another schema."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["schema.json"] = change(members["schema.json"].decode()).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_a_version_skew_is_a_warning(data: Data, tmp_path: Path) -> None:
    skops.io.dump(LogisticRegression().fit(data.rows, data.binary), tmp_path / "m.skops")
    told = json.dumps(sklearn.__version__)
    rewritten(tmp_path / "m.skops", lambda schema: schema.replace(json.dumps(told), json.dumps('"1.2.3"')))
    (warned,) = loaded(tmp_path / "m.skops").warnings
    assert warned.reason == "VersionSkew"
    assert warned.message.startswith(f"trained with scikit-learn 1.2.3, served with {sklearn.__version__}: answers may")


@pytest.mark.parametrize("change", [lambda _schema: "{}", lambda schema: schema[:-20]])
def test_a_broken_file_is_refused(data: Data, tmp_path: Path, change: Any) -> None:
    skops.io.dump(LogisticRegression().fit(data.rows, data.binary), tmp_path / "m.skops")
    rewritten(tmp_path / "m.skops", change)
    with pytest.raises(Fatal, match="skops cannot read the artifact") as failed:
        loaded(tmp_path / "m.skops")
    assert failed.value.reason is Reason.MODEL_LOAD_FAILED
