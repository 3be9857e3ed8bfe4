"""Versions of a registered model, from a real MLflow server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlneuron_runtime.failure import Reason
from mlneuron_runtime.sources import note
from mlneuron_runtime.sources.digest import digest_of

from tests.runtime.sources.artifacts import Artifacts, artifacts
from tests.runtime.sources.fetches import content, fetch, refused
from tests.support.mlflow_server import MlflowServer

VERSIONS = {"models:/churn/1": "1", "models:/churn@champion": "1", "models:/churn/2": "2"}
STORES = {"by the server": "1", "in S3": "3", "in a mounted folder": "4"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models" / "churn"


@pytest.fixture
def elsewhere() -> Iterator[Artifacts]:
    """A server that is no registry."""
    with artifacts() as made:
        yield made


@pytest.mark.parametrize("uri", VERSIONS)
def test_a_version_or_alias_becomes_the_folder_with_its_note(mlflow: MlflowServer, path: Path, uri: str) -> None:
    fetch(uri, path)
    assert {"MLmodel", "requirements.txt"} <= content(path).keys()
    assert sorted(os.listdir(path.parent)) == ["churn", "churn.source.json"]
    told = note.read(path)
    assert told is not None
    assert (told.name, told.version) == ("churn", VERSIONS[uri])
    assert told.run_id is not None
    assert told.run_id in content(path)["MLmodel"].decode()


@pytest.mark.parametrize("version", STORES.values(), ids=STORES)
def test_it_comes_from_wherever_the_registry_keeps_it(mlflow: MlflowServer, path: Path, version: str) -> None:
    from mlflow.sklearn import load_model

    fetch(f"models:/churn/{version}", path)
    model = load_model(str(path))  # type: ignore[no-untyped-call]  # mlflow's
    assert list(model.predict([[0.0, 1.0], [1.0, 0.0]])) == [0, 1]


def test_an_alias_and_its_version_share_a_cache(mlflow: MlflowServer, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    fetch("models:/churn@champion", tmp_path / "a" / "churn", cache=cache)
    fetch("models:/churn/1", tmp_path / "b" / "churn", cache=cache)
    assert (tmp_path / "b" / "churn" / "MLmodel").samefile(tmp_path / "a" / "churn" / "MLmodel")
    assert note.read(tmp_path / "b" / "churn") == note.read(tmp_path / "a" / "churn")


def test_a_pinned_version_in_the_cache_is_served_while_the_registry_is_away(
    mlflow: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    fetch("models:/churn/2", tmp_path / "a" / "churn", cache=cache)
    pinned = digest_of(tmp_path / "a" / "churn")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    fetch("models:/churn/2", tmp_path / "b" / "churn", pinned, cache)
    assert digest_of(tmp_path / "b" / "churn") == pinned
    assert note.read(tmp_path / "b" / "churn") is None


def test_a_pin_holds_an_alias_to_its_content(mlflow: MlflowServer, tmp_path: Path) -> None:
    fetch("models:/churn/2", tmp_path / "churn")
    pinned = digest_of(tmp_path / "churn")
    for cache in (None, tmp_path / "cache"):
        failure = refused("models:/churn@champion", tmp_path / "b" / "churn", pinned, cache=cache)
        assert failure.reason is Reason.MODEL_DIGEST_MISMATCH


def test_what_is_pinned_and_there_is_not_fetched_again(
    mlflow: MlflowServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch("models:/churn/2", path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    fetch("models:/churn/2", path, digest_of(path))


@pytest.mark.parametrize(
    "uri", ["models:/nobody/1", "models:/churn/99", "models:/churn@nobody", "models:/nobody@champion"]
)
def test_what_the_registry_does_not_have_is_told(mlflow: MlflowServer, path: Path, uri: str) -> None:
    failure = refused(uri, path)
    assert failure.reason is Reason.MODEL_NOT_FOUND
    assert failure.message.startswith(f"spec.model.uri: {uri} is not in the registry (")


@pytest.mark.parametrize(
    "uri", ["models:/churn", "models:/churn/", "models:/churn/latest", "models:/churn/Production", "models://churn/1"]
)
def test_a_uri_that_names_no_version_is_a_matter_of_the_config(path: Path, uri: str) -> None:
    failure = refused(uri, path)
    assert failure.reason is Reason.CONFIG_INVALID
    assert failure.message.endswith("write models:/NAME/VERSION or models:/NAME@ALIAS")


def test_without_a_registry_the_variable_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    failure = refused("models:/churn/1", path)
    assert failure.reason is Reason.CONFIG_INVALID
    assert "set MLFLOW_TRACKING_URI" in failure.message


@pytest.mark.parametrize("status", ["401", "403"])
def test_a_refusal_names_the_credentials(
    elsewhere: Artifacts, path: Path, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", elsewhere.url.replace("//", "//me:pa55word@"))
    elsewhere.script = [status] * 10
    failure = refused("models:/churn/1", path)
    assert failure.reason is Reason.MODEL_FETCH_FAILED
    assert "check the credentials (MLFLOW_TRACKING_USERNAME" in failure.message
    assert "pa55word" not in failure.message


def test_a_registry_that_is_not_there_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:pa55word@127.0.0.1:9")
    failure = refused("models:/churn/1", path, pauses=())
    assert failure.reason is Reason.MODEL_FETCH_FAILED
    assert "the registry does not answer: ConnectionRefusedError" in failure.message
    assert "pa55word" not in failure.message
