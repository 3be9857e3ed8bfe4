"""What one pod downloaded serves the others, as long as it is what they look for."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from mlneuron_runtime.failure import Fatal, Reason

from tests.runtime.sources.artifacts import CONTENT, Artifacts, artifacts
from tests.runtime.sources.fetches import content, fetch
from tests.runtime.support import config_for, environment
from tests.support.s3_server import S3Server

DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[Artifacts]:
    with artifacts() as made:
        yield made


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def pods(tmp_path: Path) -> Iterator[Path]:
    """Where the model goes in one pod after the other."""
    for number in range(1000):
        yield tmp_path / f"pod-{number}" / "m.joblib"


def visible(cache: Path) -> list[str]:
    return sorted(name for name in os.listdir(cache) if name.startswith("sha256-"))


def test_a_pinned_model_is_downloaded_once(server: Artifacts, cache: Path, tmp_path: Path) -> None:
    for path, _ in zip(pods(tmp_path), range(3), strict=False):
        fetch(f"{server.url}/model", path, DIGEST.upper(), cache)
        assert path.read_bytes() == CONTENT
    assert len(server.asked) == 2, "one look, one download"
    assert os.listdir(cache) == [f"sha256-{DIGEST}"]


def test_the_server_need_not_be_there_for_a_pinned_model_in_the_cache(
    server: Artifacts, cache: Path, tmp_path: Path
) -> None:
    fetch(f"{server.url}/model", tmp_path / "a" / "m", DIGEST, cache)
    fetch("http://127.0.0.1:9/model", tmp_path / "b" / "m", DIGEST, cache, pauses=())
    assert (tmp_path / "b" / "m").read_bytes() == CONTENT


def test_without_a_pin_the_etag_tells_which_it_is(server: Artifacts, cache: Path, tmp_path: Path) -> None:
    first, second, third, fourth = (path for path, _ in zip(pods(tmp_path), range(4), strict=False))
    fetch(f"{server.url}/tagged", first, cache=cache)
    fetch(f"{server.url}/tagged", second, cache=cache)
    assert second.read_bytes() == CONTENT
    assert server.served == len(CONTENT) + 2, "one download, and a byte each to see which it is"
    server.content, server.tag = b"newer", '"two"'
    fetch(f"{server.url}/tagged", third, cache=cache)
    assert third.read_bytes() == b"newer"
    assert first.read_bytes() == CONTENT, "a pod that runs keeps its model"
    server.content, server.tag = CONTENT, '"one"'
    fetch(f"{server.url}/tagged", fourth, cache=cache)
    assert fourth.read_bytes() == CONTENT
    assert len(visible(cache)) == 2


def test_without_pin_and_etag_each_pod_downloads(server: Artifacts, cache: Path, tmp_path: Path) -> None:
    for path, _ in zip(pods(tmp_path), range(2), strict=False):
        with structlog.testing.capture_logs() as events:
            fetch(f"{server.url}/model", path, cache=cache)
        assert path.read_bytes() == CONTENT
        assert "pin its sha256" in events[0]["event"]
    assert os.listdir(cache) == []


def test_two_urls_of_one_content_share_it(server: Artifacts, cache: Path, tmp_path: Path) -> None:
    fetch(f"{server.url}/tagged?one", tmp_path / "a" / "m", cache=cache)
    fetch(f"{server.url}/tagged?two", tmp_path / "b" / "m", cache=cache)
    assert visible(cache) == [f"sha256-{DIGEST}"]


def test_a_damaged_entry_is_fetched_anew(server: Artifacts, cache: Path, tmp_path: Path) -> None:
    fetch(f"{server.url}/model", tmp_path / "a" / "m", DIGEST, cache)
    entry = cache / f"sha256-{DIGEST}"
    entry.unlink()
    entry.write_bytes(b"damaged")
    with structlog.testing.capture_logs() as events:
        fetch(f"{server.url}/model", tmp_path / "b" / "m", DIGEST, cache)
    assert (tmp_path / "b" / "m").read_bytes() == CONTENT
    assert "damaged" in events[0]["event"]


def test_a_model_that_is_not_the_pinned_one_never_enters(server: Artifacts, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(Fatal) as failed:
        fetch(f"{server.url}/model", tmp_path / "a" / "m", "ab" * 32, cache)
    assert failed.value.reason is Reason.MODEL_DIGEST_MISMATCH
    assert os.listdir(cache) == []


def test_what_one_pod_did_not_finish_the_next_continues(server: Artifacts, cache: Path, tmp_path: Path) -> None:
    server.script = ["tagged", "tagged_half"]
    with pytest.raises(Fatal, match="the answer ended"):
        fetch(f"{server.url}/tagged", tmp_path / "a" / "m", DIGEST, cache, pauses=())
    fetch(f"{server.url}/tagged", tmp_path / "b" / "m", DIGEST, cache)
    assert (tmp_path / "b" / "m").read_bytes() == CONTENT
    assert server.asked[-1]["range"] == f"bytes={len(CONTENT) // 2}-"
    assert visible(cache) == [f"sha256-{DIGEST}"]
    assert not list(cache.glob(".*"))


def test_on_one_volume_a_model_takes_its_room_once(server: Artifacts, cache: Path, tmp_path: Path) -> None:
    fetch(f"{server.url}/model", tmp_path / "a" / "m", DIGEST, cache)
    assert (tmp_path / "a" / "m").samefile(cache / f"sha256-{DIGEST}")
    assert not (tmp_path / "a" / "m").is_symlink()


def test_across_volumes_the_path_leads_into_the_cache(server: Artifacts, tmp_path: Path) -> None:
    memory = Path("/dev/shm")  # noqa: S108  # another volume than the temporary folder's
    assert memory.stat().st_dev != tmp_path.stat().st_dev
    with tempfile.TemporaryDirectory(dir=memory) as made:
        cache, path = Path(made), tmp_path / "m"
        path.write_bytes(b"old")
        fetch(f"{server.url}/model", path, DIGEST, cache)
        assert path.readlink() == cache / f"sha256-{DIGEST}"
        assert path.read_bytes() == CONTENT
        fetch(f"{server.url}/model", path, DIGEST, cache)
        assert os.listdir(tmp_path) == ["m"]


def test_a_folder_is_shared_whole(s3: S3Server, cache: Path, tmp_path: Path) -> None:
    files = {"MLmodel": b"flavors: {}", "data/model.pkl": CONTENT}
    s3.put("shared", {f"churn/{name}": value for name, value in files.items()})
    for path, _ in zip(pods(tmp_path), range(2), strict=False):
        fetch("s3://shared/churn", path, cache=cache)
        assert content(path) == files
    (entry,) = visible(cache)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as made:  # another volume
        elsewhere = Path(made)
        fetch("s3://shared/churn", elsewhere / "m", entry.removeprefix("sha256-"), cache)
        assert content(elsewhere / "m") == files
        assert (elsewhere / "m").is_symlink()


def test_a_cache_that_cannot_be_written_is_told(server: Artifacts, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Fatal, match=r"cannot be written to \S+/file/cache .*make it writable") as failed:
        fetch(f"{server.url}/model", tmp_path / "m", DIGEST, tmp_path / "file" / "cache")
    assert failed.value.reason is Reason.MODEL_FETCH_FAILED


@pytest.mark.parametrize("pinned", [True, False], ids=["pinned", "by ETag"])
def test_ten_pods_that_start_together_download_once(server: Artifacts, tmp_path: Path, pinned: bool) -> None:
    server.content = os.urandom(8 * 1024 * 1024)
    sha256 = hashlib.sha256(server.content).hexdigest()
    processes = []
    for number in range(10):
        folder = tmp_path / f"pod-{number}"
        folder.mkdir()
        model = {"uri": f"{server.url}/tagged", "cache": str(tmp_path / "cache"), "sha256": sha256 if pinned else None}
        (folder / "config.json").write_text(json.dumps(config_for(folder / "m", model=model)))
        command = [sys.executable, "-m", "mlneuron_runtime", "fetch", "--config", str(folder / "config.json")]
        processes.append(subprocess.Popen(command, env=environment(folder), stdout=subprocess.PIPE, text=True))
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 10, outputs
    for number in range(10):
        assert hashlib.sha256((tmp_path / f"pod-{number}" / "m").read_bytes()).hexdigest() == sha256
    assert sum("model fetched" in output for output in outputs) == 1
    assert server.served <= len(server.content) + 10, "one download, and a byte a pod to see which it is"
    assert visible(tmp_path / "cache") == [f"sha256-{sha256}"]
    assert not list((tmp_path / "cache").glob(".*")), "no lock, no part"
