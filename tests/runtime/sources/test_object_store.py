"""Objects and folders of S3, from a real server."""

import hashlib
import os
from pathlib import Path

import pytest
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.sources import note, object_store
from mlneuron_runtime.sources.remote import Changed

from tests.runtime.sources.fetches import content, fetch, refused
from tests.support.metered_link import MeteredLink
from tests.support.s3_server import S3Server

MIB = 1024 * 1024

FOLDER = {"MLmodel": b"flavors: {}", "data/model.pkl": b"x" * 3000, "data/deep er/ä+%20.txt": b"odd name", "empty": b""}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models" / "m.joblib"


@pytest.fixture
def big(s3: S3Server) -> bytes:
    """The content of s3://models/big, of several ranges."""
    made = os.urandom(5 * object_store.RANGE + 17)
    s3.put("models", {"big": made})
    return made


def test_an_object_becomes_the_file(s3: S3Server, path: Path, big: bytes) -> None:
    assert fetch("s3://models/big", path, hashlib.sha256(big).hexdigest()) == []
    assert path.read_bytes() == big
    assert os.listdir(path.parent) == ["m.joblib"]
    assert path.stat().st_mode & 0o777 == 0o644
    assert note.read(path) is None


@pytest.mark.parametrize("uri", ["s3://models/folder", "s3://models/folder/"])
def test_all_below_a_prefix_become_the_folder(s3: S3Server, path: Path, uri: str) -> None:
    s3.put("models", {f"folder/{name}": value for name, value in FOLDER.items()})
    s3.put("models", {"folder/marker/": b"", "folderol": b"another"})
    fetch(uri, path)
    assert content(path) == FOLDER
    assert os.listdir(path.parent) == ["m.joblib"]
    fetch(uri, path)
    assert content(path) == FOLDER, "a folder replaces a folder"


def test_a_file_and_a_folder_replace_each_other(s3: S3Server, path: Path) -> None:
    s3.put("models", {"one": b"file", "two/a": b"a"})
    fetch("s3://models/one", path)
    fetch("s3://models/two", path)
    assert content(path) == {"a": b"a"}
    fetch("s3://models/one", path)
    assert path.read_bytes() == b"file"
    assert os.listdir(path.parent) == ["m.joblib"]


def test_a_folder_has_only_what_the_prefix_has_now(s3: S3Server, path: Path) -> None:
    s3.put("models", {"versioned/a": b"a" * 100_000, "versioned/b": os.urandom(2 * object_store.RANGE)})
    with MeteredLink(s3.port, budget=object_store.RANGE) as link, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{link.port}")
        with pytest.raises(Fatal):
            fetch("s3://models/versioned", path, pauses=())
    (work,) = path.parent.glob(".*")
    assert (work / "content" / "a").exists()
    (work / "content" / "gone").write_bytes(b"of an earlier listing")
    s3.put("models", {"versioned/a": b"new", "versioned/b": b"small"})
    fetch("s3://models/versioned", path)
    assert content(path) == {"a": b"new", "b": b"small"}


def test_a_broken_download_is_continued(s3: S3Server, path: Path, big: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with MeteredLink(s3.port, budget=3 * object_store.RANGE) as link:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{link.port}")
        with pytest.raises(Fatal, match="cannot be fetched") as failed:
            fetch("s3://models/big", path, pauses=())
        assert failed.value.reason is Reason.MODEL_FETCH_FAILED
        (work,) = path.parent.glob(".*")
        kept = (work / "part").stat().st_size
        assert kept > 0
        link.mend()
        before = link.delivered
        fetch("s3://models/big", path)
        assert link.delivered - before < len(big) - kept + MIB, "only the rest"
    assert path.read_bytes() == big


def test_a_folders_whole_files_are_not_fetched_twice(s3: S3Server, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a": os.urandom(object_store.RANGE), "b": os.urandom(3 * object_store.RANGE)}
    s3.put("models", {f"pair/{name}": value for name, value in files.items()})
    with MeteredLink(s3.port, budget=2 * object_store.RANGE) as link:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{link.port}")
        with pytest.raises(Fatal):
            fetch("s3://models/pair", path, pauses=())
        link.mend()
        before = link.delivered
        fetch("s3://models/pair", path)
        assert link.delivered - before < 3 * object_store.RANGE + MIB
    assert content(path) == files


def test_an_object_that_is_replaced_meanwhile_is_never_mixed(s3: S3Server, path: Path, big: bytes) -> None:
    (listed,) = object_store.resolve("s3://models/big").objects
    s3.put("models", {"big": os.urandom(len(big))})
    with pytest.raises(Changed), listed.open(0, listed.listed) as stream:
        list(stream.blocks)


def test_an_object_of_another_time_is_not_continued(
    s3: S3Server, path: Path, big: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MeteredLink(s3.port, budget=3 * object_store.RANGE) as link:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{link.port}")
        with pytest.raises(Fatal):
            fetch("s3://models/big", path, pauses=())
        newer = os.urandom(len(big))
        s3.put("models", {"big": newer})
        link.mend()
        fetch("s3://models/big", path)
    assert path.read_bytes() == newer


@pytest.mark.parametrize(
    "uri", ["s3://models/none", "s3://models/none/", "s3://no-such-bucket/m", "s3://no-such-bucket"]
)
def test_what_is_not_there_is_told(s3: S3Server, path: Path, uri: str) -> None:
    s3.put("models", {"some": b"m"})
    failure = refused(uri, path)
    assert failure.reason is Reason.MODEL_NOT_FOUND
    assert failure.message.startswith(f"spec.model.uri: {uri} ")
    assert failure.message.endswith("; correct the URI or upload the artifact")


def test_a_refusal_names_the_credentials(s3: S3Server, path: Path) -> None:
    s3.put("models", {"some": b"m"})
    s3.guard(True)
    try:
        failure = refused("s3://models/some", path)
    finally:
        s3.guard(False)
    assert failure.reason is Reason.MODEL_FETCH_FAILED
    assert "check the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) in the Secret" in failure.message
    assert "s3-secret-of-the-tests" not in failure.message


def test_a_server_that_is_not_there_is_told(s3: S3Server, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    failure = refused("s3://models/some", path, pauses=())
    assert failure.reason is Reason.MODEL_FETCH_FAILED
    assert "Could not connect to the endpoint" in failure.message


def test_without_credentials_a_public_object_is_read(
    s3: S3Server, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    s3.put("models", {"public": b"m"}, acl="public-read")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    fetch("s3://models/public", path)
    assert path.read_bytes() == b"m"


@pytest.mark.parametrize("uri", ["s3://", "s3:///key", "s3:models/key"])
def test_a_uri_without_a_bucket_is_a_matter_of_the_config(s3: S3Server, path: Path, uri: str) -> None:
    failure = refused(uri, path)
    assert failure.reason is Reason.CONFIG_INVALID
    assert "write s3://BUCKET/KEY" in failure.message


def test_a_bucket_name_that_cannot_be_one_is_told_at_once(s3: S3Server, path: Path) -> None:
    assert refused("s3://B/key", path).reason in {Reason.MODEL_FETCH_FAILED, Reason.MODEL_NOT_FOUND}


def test_a_wrong_digest_leaves_nothing(s3: S3Server, path: Path) -> None:
    s3.put("models", {"some": b"m"})
    assert refused("s3://models/some", path, "ab" * 32).reason is Reason.MODEL_DIGEST_MISMATCH


def test_an_object_that_leads_out_of_the_folder_is_refused(s3: S3Server, path: Path) -> None:
    s3.put("models", {"evil/../../outside": b"m"})
    failure = refused("s3://models/evil", path)
    assert "'../../outside' is no path in a folder" in failure.message
