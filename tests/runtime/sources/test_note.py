"""What the registry says stays beside the artifact, and goes with it."""

from pathlib import Path

from mlneuron_runtime.sources import note
from mlneuron_runtime.sources.note import Note


def test_a_note_is_read_as_written(tmp_path: Path) -> None:
    told = Note(name="churn", version="3", run_id="c5dc8323b54c460198dfb29af90a12c9")
    note.write(tmp_path / "model", told)
    assert note.read(tmp_path / "model") == told
    assert (tmp_path / "model.source.json").read_text() == (
        '{"name":"churn","version":"3","run_id":"c5dc8323b54c460198dfb29af90a12c9"}'
    )


def test_without_a_note_there_is_none(tmp_path: Path) -> None:
    assert note.read(tmp_path / "model") is None
    (tmp_path / "model.source.json").write_text("{")
    assert note.read(tmp_path / "model") is None


def test_an_artifact_without_a_note_does_not_keep_the_last_ones(tmp_path: Path) -> None:
    note.write(tmp_path / "model", Note(name="churn", version="3"))
    note.write(tmp_path / "model", None)
    assert note.read(tmp_path / "model") is None
