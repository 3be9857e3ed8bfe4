"""Digest, deserialise, warm up: in that order, each with its own failure."""

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.loading import load, warm_up
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.models.sklearn import SklearnModel
from mlneuron_runtime.settings import Input, ModelSource
from mlneuron_runtime.signature import Column, Matrix, Table
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tests.runtime.conftest import InlineModel, summing
from tests.runtime.support import HERE

FITTED = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "m.pkl"
    file.write_bytes(pickle.dumps(FITTED))
    return file


def source(path: Path, **values: Any) -> ModelSource:
    known = {
        "name": "churn",
        "framework": "sklearn",
        "uri": "https://me:secret@host/m.pkl",
        "path": str(path),
        "acceleration": "Off",
    }
    return ModelSource(**{**known, **values})


def test_a_model_without_a_version_is_known_by_its_digest(path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    served = load(source(path, sha256=digest.upper()), "image", 1)
    assert (served.sha256, served.version) == (digest, digest[:12])
    assert load(source(path, version="1.0.0"), "image", 1).version == "1.0.0"


def test_a_wrong_digest_is_refused_before_the_pickle_runs(path: Path) -> None:
    path.write_bytes(b"cbuiltins\nexit\n(i1\ntR.")
    with pytest.raises(Fatal) as failed:
        load(source(path, sha256="0" * 64), "image", 1)
    assert failed.value.reason is Reason.MODEL_DIGEST_MISMATCH
    assert "https://host/m.pkl has sha256" in failed.value.message


def test_a_missing_file_is_told_without_credentials(tmp_path: Path) -> None:
    with pytest.raises(Fatal) as failed:
        load(source(tmp_path / "absent.pkl"), "image", 1)
    assert failed.value.reason is Reason.MODEL_NOT_FOUND
    assert failed.value.message.startswith("spec.model.uri: https://host/m.pkl is not there (no file ")


def test_what_no_loader_foresees_is_a_load_failure_too(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        import odd_models  # type: ignore[import-not-found]  # on the path since the line above

        (tmp_path / "m.pkl").write_bytes(pickle.dumps(odd_models.Boastful()))
        with pytest.raises(Fatal, match="cannot be loaded as a sklearn model") as failed:
            load(source(tmp_path / "m.pkl"), "image", 1)
    assert failed.value.reason is Reason.MODEL_LOAD_FAILED


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="is a folder") as failed:
        load(source(tmp_path), "image", 1)
    assert failed.value.reason is Reason.MODEL_LOAD_FAILED


def test_a_model_whose_domain_lacks_zero_is_warmed_with_another_row() -> None:
    rows = [[1.0, 2.0], [3.0, 1.0]]
    logarithmic = make_pipeline(FunctionTransformer(np.log), LogisticRegression()).fit(rows, [0, 1])
    with np.errstate(divide="ignore"):
        warm_up(SklearnModel(logarithmic))


def test_a_model_that_answers_no_row_fails_its_warm_up() -> None:
    def refuse(_rows: Any) -> Prediction:
        raise KeyError("age")

    with pytest.raises(Fatal, match=r"warm-up inference on 2 numbers failed \(KeyError: 'age'\)") as failed:
        warm_up(InlineModel(refuse, Matrix(2)))
    assert failed.value.reason is Reason.MODEL_WARMUP_FAILED


def test_a_model_with_too_few_answers_fails_its_warm_up() -> None:
    with pytest.raises(Fatal, match="0 answers to 1 row"):
        warm_up(InlineModel(lambda rows: Prediction(np.zeros(0)), Matrix(2)))


def test_a_model_of_unknown_width_is_trusted() -> None:
    warm_up(InlineModel(summing, Matrix(None)))


def test_a_model_that_raises_on_an_unknown_text_is_trusted_as_it_may_know_others() -> None:
    def refuse(_rows: Any) -> Prediction:
        raise KeyError("")

    assert warm_up(InlineModel(refuse, Table((Column("city", "BYTES"),)))) is None
    with pytest.raises(Fatal, match=r"city .BYTES. failed"):
        warm_up(InlineModel(refuse, Table((Column("city", "BYTES", choices=frozenset({"Oslo"})),))))


def test_a_failed_warm_up_on_columns_tells_that_their_datatypes_may_be_declared() -> None:
    def refuse(_rows: Any) -> Prediction:
        raise TypeError("no text")

    with pytest.raises(Fatal, match=r"or tell the datatypes of its columns in spec.model.inputs"):
        warm_up(InlineModel(refuse, Matrix(2, ("age", "city"))))


def test_what_is_declared_is_checked_against_the_artifact(path: Path) -> None:
    made = load(source(path, inputs=[Input("a"), Input("b")]), "image", 1)
    assert made.model.signature.names == ("a", "b")
    with pytest.raises(Fatal, match=r"spec.model.inputs: 1 input .* there, but the model takes 2 numbers") as failed:
        load(source(path, inputs=[Input("a")]), "image", 1)
    assert failed.value.reason is Reason.MODEL_SIGNATURE_MISMATCH
