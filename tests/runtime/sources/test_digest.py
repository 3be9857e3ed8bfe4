"""A folder's digest is what a person can compute with the tools at hand."""

import subprocess
from pathlib import Path

import pytest
from mlneuron_runtime.sources.digest import digest_of

BY_HAND = "find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"

FOLDERS = {
    "a model": ["MLmodel", "model.pkl", "code/a.py", "code/b/c.py"],
    "order by bytes": ["B", "a", "a-b", "a.b", "a/b", "ä", "Z/z", ".hidden"],
    "names to escape": ["with space", "back\\slash", "line\nbreak", "tab\there", "'quoted\""],
}


@pytest.mark.parametrize("names", FOLDERS.values(), ids=FOLDERS)
def test_a_folders_digest_is_that_of_its_sha256sums(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        path = tmp_path / ("a_folder/b" if name == "a/b" else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    done = subprocess.run(["bash", "-c", BY_HAND], cwd=tmp_path, capture_output=True, check=True, text=True)
    assert digest_of(tmp_path) == done.stdout.split()[0]


def test_a_files_digest_is_its_sha256sum(tmp_path: Path) -> None:
    path = tmp_path / "m.joblib"
    path.write_bytes(b"model" * 1000)
    done = subprocess.run(["sha256sum", str(path)], capture_output=True, check=True, text=True)
    assert digest_of(path) == done.stdout.split()[0]


def test_what_is_not_there_has_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digest_of(tmp_path / "m")
