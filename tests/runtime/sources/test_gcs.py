"""Objects and folders of Google Cloud Storage, from a real server of its API."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import gcsfs.retry
import pytest
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.sources import object_store
from mlneuron_runtime.sources.remote import Changed

from tests.runtime.sources.artifacts import Artifacts, artifacts
from tests.runtime.sources.fetches import content, fetch, refused
from tests.support.gcs_server import GcsServer
from tests.support.metered_link import MeteredLink


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models" / "m.joblib"


@pytest.fixture
def server() -> Iterator[Artifacts]:
    with artifacts() as made:
        yield made


def test_an_object_becomes_the_file(gcs: GcsServer, path: Path) -> None:
    made = os.urandom(3 * object_store.RANGE + 17)
    gcs.put("models", "some/big", made)
    fetch("gs://models/some/big", path, hashlib.sha256(made).hexdigest())
    assert path.read_bytes() == made
    assert os.listdir(path.parent) == ["m.joblib"]


def test_all_below_a_prefix_become_the_folder(gcs: GcsServer, path: Path) -> None:
    files = {"MLmodel": b"flavors: {}", "data/model.pkl": b"x" * 3000, "data/odd näme": b"y"}
    for name, value in files.items():
        gcs.put("models", f"folder/{name}", value)
    gcs.put("models", "folderol", b"another")
    fetch("gs://models/folder", path)
    assert content(path) == files


def test_a_broken_download_is_continued(gcs: GcsServer, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = os.urandom(6 * object_store.RANGE)
    gcs.put("models", "big", made)
    past_the_first = object_store.AHEAD * object_store.RANGE + object_store.RANGE // 2
    with MeteredLink(gcs.port, budget=past_the_first) as link:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.variables(link.port)["STORAGE_EMULATOR_HOST"])
        monkeypatch.setattr(gcsfs.retry, "is_retriable", lambda _: False)  # its own attempts take half a minute
        with pytest.raises(Fatal):
            fetch("gs://models/big", path, pauses=())
        link.mend()
        before = link.delivered
        fetch("gs://models/big", path)
        assert link.delivered - before < len(made), "only the rest"
    assert path.read_bytes() == made


def test_an_object_that_is_replaced_meanwhile_is_never_mixed(gcs: GcsServer) -> None:
    gcs.put("models", "big", b"a" * 100)
    (listed,) = object_store.resolve("gs://models/big").objects
    gcs.put("models", "big", b"b" * 100)
    with pytest.raises(Changed), listed.open(0, listed.listed) as stream:
        list(stream.blocks)


@pytest.mark.parametrize("uri", ["gs://models/none", "gs://models/none/", "gs://no-such-bucket/m"])
def test_what_is_not_there_is_told(gcs: GcsServer, path: Path, uri: str) -> None:
    gcs.put("models", "some", b"m")
    assert refused(uri, path).reason is Reason.MODEL_NOT_FOUND


@pytest.mark.parametrize("status", ["401", "403"])
def test_a_refusal_names_the_credentials(
    server: Artifacts, path: Path, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    server.script = [status] * 100
    failure = refused("gs://models/some", path)
    assert failure.reason is Reason.MODEL_FETCH_FAILED
    assert "check the credentials (GOOGLE_APPLICATION_CREDENTIALS) in the Secret" in failure.message
