"""A pod's last words: one JSON line, without secrets, short enough for Kubernetes."""

import json
from pathlib import Path

import pytest
from mlneuron_runtime.failure import EXIT_CODE, Fatal, Reason, public, report


def test_the_failure_is_written_as_one_json_line(tmp_path: Path) -> None:
    said: list[tuple[str, str]] = []
    log = tmp_path / "termination-log"
    code = report(Fatal(Reason.MODEL_NOT_FOUND, "spec.model.uri: gone;\n correct it"), log, lambda *it: said.append(it))
    assert code == EXIT_CODE == 78
    assert log.read_text() == '{"reason": "ModelNotFound", "message": "spec.model.uri: gone; correct it"}\n'
    assert said == [("ModelNotFound", "spec.model.uri: gone; correct it")]


def test_a_log_that_cannot_be_written_does_not_hide_the_failure(tmp_path: Path) -> None:
    assert report(Fatal(Reason.CONFIG_INVALID, "bad"), tmp_path / "no" / "folder", lambda *_: None) == EXIT_CODE


@pytest.mark.parametrize("piece", ['quote " backslash \\ ', "\x01\x02", "模型", "\ud800", "plain "])
def test_an_endless_message_still_fits_the_kubelets_limit(tmp_path: Path, piece: str) -> None:
    log = tmp_path / "log"
    report(Fatal(Reason.MODEL_LOAD_FAILED, piece * 1000), log, lambda *_: None)
    assert len(log.read_bytes()) < 4096
    assert json.loads(log.read_text())["message"].endswith("…")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://user:secret@host:8443/m.joblib?token=secret#secret", "https://host:8443/m.joblib"),
        ("pvc://claim/path/m.joblib", "pvc://claim/path/m.joblib"),
        ("http://[broken/", "(an unreadable URI)"),
    ],
)
def test_uris_are_shown_without_credentials(uri: str, shown: str) -> None:
    assert public(uri) == shown
