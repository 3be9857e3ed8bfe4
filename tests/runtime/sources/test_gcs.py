"""Objects and folders of Google Cloud Storage, from a fake of its API."""

import hashlib
import os
from pathlib import Path

import pytest
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.sources import object_store
from mlneuron_runtime.sources.remote import Changed

from tests.runtime.sources.fetches import content, fetch, refused
from tests.support.fake_gcs import FakeGcs


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models" / "m.joblib"


def test_an_object_becomes_the_file(gcs: FakeGcs, path: Path) -> None:
    made = os.urandom(3 * object_store.RANGE + 17)
    gcs.put("models", "some/big", made)
    fetch("gs://models/some/big", path, hashlib.sha256(made).hexdigest())
    assert path.read_bytes() == made
    assert os.listdir(path.parent) == ["m.joblib"]


def test_all_below_a_prefix_become_the_folder(gcs: FakeGcs, path: Path) -> None:
    files = {"MLmodel": b"flavors: {}", "data/model.pkl": b"x" * 3000, "data/odd näme": b"y"}
    for name, value in files.items():
        gcs.put("models", f"folder/{name}", value)
    gcs.put("models", "folderol", b"another")
    fetch("gs://models/folder", path)
    assert content(path) == files


def test_a_broken_download_is_continued(gcs: FakeGcs, path: Path) -> None:
    made = os.urandom(6 * object_store.RANGE)
    gcs.put("models", "big", made)
    gcs.budget = 2 * object_store.RANGE
    with pytest.raises(Fatal):
        fetch("gs://models/big", path, pauses=())
    gcs.budget, gcs.delivered = None, 0
    fetch("gs://models/big", path)
    assert path.read_bytes() == made
    assert gcs.delivered < len(made), "only the rest"


def test_an_object_that_is_replaced_meanwhile_is_never_mixed(gcs: FakeGcs) -> None:
    gcs.put("models", "big", b"a" * 100)
    (listed,) = object_store.resolve("gs://models/big").objects
    gcs.put("models", "big", b"b" * 100)
    with pytest.raises(Changed), listed.open(0, listed.listed) as stream:
        list(stream.blocks)


@pytest.mark.parametrize("uri", ["gs://models/none", "gs://models/none/", "gs://no-such-bucket/m"])
def test_what_is_not_there_is_told(gcs: FakeGcs, path: Path, uri: str) -> None:
    gcs.put("models", "some", b"m")
    assert refused(uri, path).reason is Reason.MODEL_NOT_FOUND


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_names_the_credentials(gcs: FakeGcs, path: Path, status: int) -> None:
    gcs.put("models", "some", b"m")
    gcs.status = status
    failure = refused("gs://models/some", path)
    assert failure.reason is Reason.MODEL_FETCH_FAILED
    assert "check the credentials (GOOGLE_APPLICATION_CREDENTIALS) in the Secret" in failure.message
