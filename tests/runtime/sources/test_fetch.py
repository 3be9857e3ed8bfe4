"""`fetch` by scheme."""

import hashlib
from pathlib import Path

import pytest
from mlneuron_runtime import sources
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.settings import ModelSource


def source(uri: str, path: Path, sha256: str | None = None) -> ModelSource:
    return ModelSource(name="churn", framework="sklearn", uri=uri, path=str(path), sha256=sha256)


@pytest.mark.parametrize("uri", ["pvc://claim/m.joblib", "file:///opt/m.joblib"])
def test_what_is_mounted_has_to_be_there_and_match(tmp_path: Path, uri: str) -> None:
    path = tmp_path / "m.joblib"
    with pytest.raises(Fatal, match=r"is not there") as absent:
        sources.fetch(source(uri, path))
    assert absent.value.reason is Reason.MODEL_NOT_FOUND
    path.write_bytes(b"model")
    sources.fetch(source(uri, path))
    sources.fetch(source(uri, path, hashlib.sha256(b"model").hexdigest()))
    with pytest.raises(Fatal) as mismatched:
        sources.fetch(source(uri, path, "0" * 64))
    assert mismatched.value.reason is Reason.MODEL_DIGEST_MISMATCH


def test_a_scheme_that_is_not_known_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="the scheme 's3'") as failed:
        sources.fetch(source("s3://bucket/m.joblib", tmp_path / "m"))
    assert failed.value.reason is Reason.CONFIG_INVALID
