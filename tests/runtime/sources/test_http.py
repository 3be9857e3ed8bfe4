"""Downloads are whole, checked and atomic, or leave what was there and say what to mend."""

import base64
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from mlneuron_runtime.failure import Fatal, Reason

from tests.runtime.sources.artifacts import CONTENT, Artifacts, artifacts
from tests.runtime.sources.fetches import fetch, refused

DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[Artifacts]:
    with artifacts() as made:
        yield made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models" / "m.joblib"


@pytest.mark.parametrize("kind", ["model", "chunked", "moved"])
def test_a_whole_answer_becomes_the_file(server: Artifacts, path: Path, kind: str) -> None:
    assert fetch(f"{server.url}/{kind}", path, DIGEST.upper()) == []
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(path.parent) == ["m.joblib"]


def test_a_file_that_matches_its_pin_is_not_fetched_again(server: Artifacts, path: Path) -> None:
    fetch(f"{server.url}/model", path, DIGEST)
    fetch(f"{server.url}/model", path, DIGEST)
    assert len(server.asked) == 1


def test_a_file_that_does_not_match_is_replaced(server: Artifacts, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"old")
    fetch(f"{server.url}/model", path, DIGEST)
    assert path.read_bytes() == CONTENT


def test_without_a_pin_the_present_content_is_fetched(server: Artifacts, path: Path) -> None:
    fetch(f"{server.url}/model", path)
    fetch(f"{server.url}/model", path)
    assert len(server.asked) == 2


@pytest.mark.parametrize("fault", ["truncated", "broken_chunks", "503", "500", "429"])
def test_a_fault_that_passes_is_tried_again(server: Artifacts, path: Path, fault: str) -> None:
    server.script = [fault, fault]
    with structlog.testing.capture_logs() as events:
        assert fetch(f"{server.url}/model", path, DIGEST) == [0.5, 2.0]
    assert path.read_bytes() == CONTENT
    assert [event["event"] for event in events].count("fetch failed, trying again") == 2


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("truncated", "the answer ended after 2097151 of 2097152 bytes"),
        ("broken_chunks", "IncompleteRead"),
        ("503", "the server answers 503"),
    ],
)
def test_a_fault_that_stays_is_fatal_and_leaves_what_was_there(
    server: Artifacts, path: Path, fault: str, told: str
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"old")
    failure = refused(f"{server.url}/{fault}", path)
    assert failure.reason is Reason.MODEL_FETCH_FAILED
    assert told in failure.message
    assert path.read_bytes() == b"old"
    assert len(server.asked) == 4


def test_a_server_that_falls_silent_is_given_up(server: Artifacts, path: Path) -> None:
    failure = refused(f"{server.url}/silent", path, stall=0.1, pauses=())
    assert failure.reason is Reason.MODEL_FETCH_FAILED
    assert "timed out" in failure.message


def test_a_server_that_is_not_there_is_told(path: Path) -> None:
    failure = refused("http://127.0.0.1:9/m.joblib", path, pauses=())
    assert failure.reason is Reason.MODEL_FETCH_FAILED
    assert "ConnectionRefusedError" in failure.message


def test_a_name_that_does_not_resolve_is_told(path: Path) -> None:
    assert "cannot be fetched" in refused("http://no-such-host.invalid/m.joblib", path, pauses=()).message


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("404", Reason.MODEL_NOT_FOUND),
        ("410", Reason.MODEL_NOT_FOUND),
        ("401", Reason.MODEL_FETCH_FAILED),
        ("403", Reason.MODEL_FETCH_FAILED),
        ("400", Reason.MODEL_FETCH_FAILED),
    ],
)
def test_a_refusal_is_final_and_says_the_mend(server: Artifacts, path: Path, status: str, reason: Reason) -> None:
    failure = refused(f"{server.url}/{status}", path)
    assert failure.reason is reason
    assert failure.message.startswith(f"spec.model.uri: {server.url}/{status} answers {status}; ")
    assert len(server.asked) == 1


def test_a_wrong_digest_is_fatal_and_the_artifact_never_appears(server: Artifacts, path: Path) -> None:
    failure = refused(f"{server.url}/model", path, "ab" * 32)
    assert failure.reason is Reason.MODEL_DIGEST_MISMATCH
    assert failure.message == (
        f"spec.model.sha256: the model at {server.url}/model has sha256 {DIGEST}, not the pinned {'ab' * 32}; "
        "correct the pin or the artifact"
    )
    assert not path.exists()


def test_credentials_go_to_their_host_only_and_never_into_a_message(server: Artifacts, path: Path) -> None:
    uri = server.url.replace("http://", "http://me:p%40ss@")
    fetch(f"{uri}/moved", path)
    first, second = server.asked
    assert first["authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode()
    assert "authorization" not in second
    failure = refused(f"{uri}/404?token=secret", path)
    assert "p%40ss" not in failure.message
    assert "secret" not in failure.message


def test_the_secrets_credentials_go_to_the_urls_host_only(server: Artifacts, path: Path) -> None:
    fetch(f"{server.url}/moved", path, authorization="Bearer t0ken")
    assert [asked.get("authorization") for asked in server.asked] == ["Bearer t0ken", None]
    fetch(server.url.replace("//", "//me:pass@") + "/model", path, authorization="Bearer t0ken")
    assert server.asked[-1]["authorization"].startswith("Basic "), "the URL's own are meant for it"


def test_a_redirect_to_a_file_is_not_followed(server: Artifacts, path: Path) -> None:
    assert refused(f"{server.url}/to_file", path, pauses=()).reason is Reason.MODEL_FETCH_FAILED
    assert not path.exists()


@pytest.mark.parametrize("uri", ["http://host:port/m", "http://[broken/m", "http:///m"])
def test_what_is_no_url_is_a_matter_of_the_config(path: Path, uri: str) -> None:
    failure = refused(uri, path, pauses=())
    assert failure.reason is Reason.CONFIG_INVALID


def test_a_volume_that_cannot_be_written_is_told(server: Artifacts, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Fatal, match="cannot be written") as failed:
        fetch(f"{server.url}/model", tmp_path / "file" / "m.joblib")
    assert failed.value.reason is Reason.MODEL_FETCH_FAILED


def test_a_full_disk_is_not_mistaken_for_the_network(server: Artifacts) -> None:
    with pytest.raises(Fatal, match="give the model volume more room"):
        fetch(f"{server.url}/model", Path("/proc/m.joblib"))
