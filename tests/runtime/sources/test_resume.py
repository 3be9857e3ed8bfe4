"""A download that broke off goes on where it was, and only with the same content."""

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from mlneuron_runtime.failure import Fatal
from mlneuron_runtime.sources.work import CHECKPOINT

from tests.runtime.sources.artifacts import Artifacts, artifacts
from tests.runtime.sources.fetches import fetch
from tests.runtime.support import config_for, runtime
from tests.support.kube import eventually

MIB = 1024 * 1024


@pytest.fixture
def server() -> Iterator[Artifacts]:
    with artifacts() as made:
        made.content = os.urandom(4 * MIB)
        yield made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models" / "m.joblib"


def interrupted(server: Artifacts, path: Path, **options: Any) -> None:
    """A fetch that got half of it and gave up."""
    server.script = ["tagged_half"]
    with pytest.raises(Fatal, match="the answer ended after 2097152 of 4194304 bytes"):
        fetch(f"{server.url}/tagged", path, pauses=(), **options)


def test_a_broken_connection_is_continued_where_it_broke(server: Artifacts, path: Path) -> None:
    server.script = ["tagged_half"]
    assert fetch(f"{server.url}/tagged", path, hashlib.sha256(server.content).hexdigest()) == [0.5]
    assert path.read_bytes() == server.content
    assert server.served == 4 * MIB, "nothing came twice"
    first, second = server.asked
    assert "range" not in first
    assert (second["range"], second["if-range"]) == ("bytes=2097152-", '"one"')
    assert os.listdir(path.parent) == ["m.joblib"]


def test_the_next_fetch_continues_what_one_gave_up(server: Artifacts, path: Path) -> None:
    interrupted(server, path)
    assert not path.exists()
    fetch(f"{server.url}/tagged", path)
    assert path.read_bytes() == server.content
    assert server.served == 4 * MIB
    assert os.listdir(path.parent) == ["m.joblib"]


def test_what_was_replaced_meanwhile_is_fetched_anew(server: Artifacts, path: Path) -> None:
    interrupted(server, path)
    server.content, server.tag = os.urandom(4 * MIB), '"two"'
    fetch(f"{server.url}/tagged", path)
    assert path.read_bytes() == server.content


def test_another_url_does_not_continue_it(server: Artifacts, path: Path) -> None:
    interrupted(server, path)
    fetch(f"{server.url}/tagged?version=2", path)
    assert path.read_bytes() == server.content
    assert "range" not in server.asked[-1]


def test_a_server_without_ranges_is_read_from_the_start(server: Artifacts, path: Path) -> None:
    interrupted(server, path)
    server.script = ["tagged_deaf"]
    fetch(f"{server.url}/tagged", path)
    assert path.read_bytes() == server.content


def test_a_part_that_was_not_asked_for_is_not_mixed_in(server: Artifacts, path: Path) -> None:
    interrupted(server, path)
    server.script = ["tagged_elsewhere"]
    assert fetch(f"{server.url}/tagged", path) == [0.5]
    assert path.read_bytes() == server.content
    assert "range" not in server.asked[-1]


def test_a_weak_etag_promises_no_equal_bytes(server: Artifacts, path: Path) -> None:
    server.tag, server.script = 'W/"one"', ["tagged_half"]
    fetch(f"{server.url}/tagged", path)
    assert path.read_bytes() == server.content
    assert "range" not in server.asked[-1]


def test_a_part_whose_record_is_damaged_is_fetched_anew(server: Artifacts, path: Path) -> None:
    interrupted(server, path)
    (path.parent / ".m.joblib.part" / "part.json").write_bytes(b"{")
    fetch(f"{server.url}/tagged", path)
    assert path.read_bytes() == server.content


def test_a_part_is_trusted_only_as_far_as_it_was_synced(server: Artifacts, path: Path) -> None:
    interrupted(server, path)
    with (path.parent / ".m.joblib.part" / "part").open("ab") as part:
        part.write(bytes(MIB))  # as a node that lost its power may leave it
    fetch(f"{server.url}/tagged", path)
    assert path.read_bytes() == server.content


def test_a_whole_part_is_asked_for_its_last_byte(server: Artifacts, path: Path) -> None:
    interrupted(server, path)
    folder = path.parent / ".m.joblib.part"
    (folder / "part").write_bytes(server.content)
    record = json.loads((folder / "part.json").read_bytes())
    (folder / "part.json").write_text(json.dumps({**record, "synced": 4 * MIB}))
    fetch(f"{server.url}/tagged", path)
    assert path.read_bytes() == server.content
    assert server.asked[-1]["range"] == "bytes=4194303-"


def test_a_connection_that_breaks_again_and_again_gets_there(server: Artifacts, path: Path) -> None:
    server.content = os.urandom(12 * MIB)
    server.script = ["tagged_slice"] * 10
    pauses = fetch(f"{server.url}/tagged", path, hashlib.sha256(server.content).hexdigest())
    assert pauses == [0.5] * 10, "an attempt that got further starts to count anew"


def test_a_killed_fetch_is_continued_by_the_next(server: Artifacts, tmp_path: Path) -> None:
    server.content = os.urandom(CHECKPOINT + 4 * MIB)
    server.script = ["tagged_held"]
    path = tmp_path / "models" / "m.joblib"
    (tmp_path / "config.json").write_text(
        json.dumps(
            config_for(
                path, model={"uri": f"{server.url}/tagged", "sha256": hashlib.sha256(server.content).hexdigest()}
            )
        )
    )
    record = path.parent / ".m.joblib.part" / "part.json"
    with runtime(tmp_path, "fetch", "--config", str(tmp_path / "config.json")) as process:
        eventually(
            "a checkpoint", lambda: record.exists() and json.loads(record.read_bytes())["synced"] >= CHECKPOINT, 60
        )
        process.process.kill()
    with runtime(tmp_path, "fetch", "--config", str(tmp_path / "config.json")) as process:
        assert process.finish() == 0
    assert path.read_bytes() == server.content
    assert int(server.asked[-1]["range"][6:-1]) >= CHECKPOINT


def test_a_fetch_whose_pod_is_deleted_leaves_what_it_has(server: Artifacts, tmp_path: Path) -> None:
    server.script = ["tagged_held"]
    path = tmp_path / "models" / "m.joblib"
    (tmp_path / "config.json").write_text(json.dumps(config_for(path, model={"uri": f"{server.url}/tagged"})))
    part = path.parent / ".m.joblib.part" / "part"
    with runtime(tmp_path, "fetch", "--config", str(tmp_path / "config.json")) as process:
        eventually("some bytes", lambda: part.exists() and part.stat().st_size >= 3 * MIB, 60)
        process.process.send_signal(signal.SIGTERM)
        assert process.finish() == 128 + signal.SIGTERM
    fetch(f"{server.url}/tagged", path)
    assert path.read_bytes() == server.content
    assert int(server.asked[-1]["range"][6:-1]) >= 3 * MIB


def test_the_log_tells_that_a_fetch_is_continued(server: Artifacts, path: Path) -> None:
    interrupted(server, path)
    with structlog.testing.capture_logs() as events:
        fetch(f"{server.url}/tagged", path)
    assert [event["event"] for event in events] == ["continuing a fetch", "model fetched"]
    assert events[0]["bytes"] == 2 * MIB
