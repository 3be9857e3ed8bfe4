"""Every fatal reason ends in exit code 78 and one JSON line that the operator can read."""

import json
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest

from tests.runtime.sources.artifacts import Artifacts, artifacts
from tests.runtime.support import ANY_PORTS, DEADLINE, HERE, config_for, runtime


@pytest.fixture(scope="module")
def server() -> Iterator[Artifacts]:
    with artifacts() as made:
        yield made


def garbage(folder: Path) -> dict[str, Any]:
    (folder / "m.joblib").write_bytes(b"garbage")
    return config_for(folder / "m.joblib")


def missing_module(folder: Path) -> dict[str, Any]:
    (folder / "m.joblib").write_bytes(b"cno_such_module\nModel\n.")
    return config_for(folder / "m.joblib")


def wrong_digest(folder: Path) -> dict[str, Any]:
    (folder / "m.joblib").write_bytes(pickle.dumps(1))
    return config_for(folder / "m.joblib", model={"sha256": "ab" * 32})


def absent(folder: Path) -> dict[str, Any]:
    return config_for(folder / "m.joblib")


def unknown_key(folder: Path) -> dict[str, Any]:
    return {**config_for(folder / "m.joblib"), "replicas": 3}


def unusable(folder: Path) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        import odd_models  # type: ignore[import-not-found]  # on the path since the line above

        joblib.dump(odd_models.Unusable(), folder / "m.joblib")
    return config_for(folder / "m.joblib")


SERVE: list[tuple[Callable[[Path], dict[str, Any]], str, str]] = [
    (unknown_key, "ConfigInvalid", "unknown field `replicas`"),
    (absent, "ModelNotFound", "pvc://models/m.joblib is not there"),
    (wrong_digest, "ModelDigestMismatch", f"not the pinned {'ab' * 32}; correct the pin or the artifact"),
    (garbage, "ModelLoadFailed", "cannot be unpickled"),
    (
        missing_module,
        "ModelLoadFailed",
        "'no_such_module', which registry.test/mlneuron-runtime:1 does not have",
    ),
    (
        unusable,
        "ModelWarmupFailed",
        "a warm-up inference on 2 numbers failed (ValueError: needs a data frame)",
    ),
]


def last_words(folder: Path, command: str, config: dict[str, Any]) -> dict[str, str]:
    """What a run leaves in its termination log."""
    (folder / "config.json").write_text(json.dumps(config))
    ports = ("--host", "127.0.0.1", *ANY_PORTS) if command == "serve" else ()
    with runtime(folder, command, "--config", str(folder / "config.json"), *ports) as process:
        assert process.finish() == 78
    assert process.events[-1]["event"] == "giving up"
    assert process.events[-1]["reason"] == process.last_words["reason"]
    assert process.termination_log.read_text().count("\n") == 1
    return process.last_words


@pytest.mark.parametrize(("prepare", "reason", "message"), SERVE)
def test_serve_says_why_it_cannot(
    tmp_path: Path, prepare: Callable[[Path], dict[str, Any]], reason: str, message: str
) -> None:
    told = last_words(tmp_path, "serve", prepare(tmp_path))
    assert told["reason"] == reason
    assert message in told["message"]


@pytest.mark.parametrize(
    ("path", "sha256", "reason"),
    [
        ("404", None, "ModelNotFound"),
        ("403", None, "ModelFetchFailed"),
        ("model", "ab" * 32, "ModelDigestMismatch"),
    ],
)
def test_fetch_says_why_it_cannot(
    tmp_path: Path, server: Artifacts, path: str, sha256: str | None, reason: str
) -> None:
    uri = f"{server.url}/{path}".replace("http://", "http://me:secret@") + "?token=secret"
    config = config_for(tmp_path / "models" / "m.joblib", model={"uri": uri, "sha256": sha256})
    told = last_words(tmp_path, "fetch", config)
    assert told["reason"] == reason
    assert f"{server.url}/{path}" in told["message"]
    assert "secret" not in json.dumps(told)


def test_fetch_then_serve_share_one_config(tmp_path: Path, server: Artifacts) -> None:
    config = config_for(tmp_path / "models" / "m.joblib", model={"uri": f"{server.url}/model"})
    (tmp_path / "config.json").write_text(json.dumps(config))
    with runtime(tmp_path, "fetch", "--config", str(tmp_path / "config.json")) as process:
        assert process.finish() == 0
    assert process.events[-1]["event"] == "model fetched"
    assert not process.termination_log.exists()
    assert last_words(tmp_path, "serve", config)["reason"] == "ModelLoadFailed", "what was fetched is no pickle"


def test_fetch_stops_at_once_when_its_pod_is_deleted(tmp_path: Path, server: Artifacts) -> None:
    config = config_for(tmp_path / "models" / "m.joblib", model={"uri": f"{server.url}/silent"})
    (tmp_path / "config.json").write_text(json.dumps(config))
    asked = len(server.asked)
    with runtime(tmp_path, "fetch", "--config", str(tmp_path / "config.json")) as process:
        deadline = time.monotonic() + DEADLINE
        while len(server.asked) == asked:
            assert time.monotonic() < deadline, "the server was never asked"
        process.process.send_signal(signal.SIGTERM)
        assert process.finish() == 128 + signal.SIGTERM
    assert not list((tmp_path / "models").iterdir()), "no part is left behind"
