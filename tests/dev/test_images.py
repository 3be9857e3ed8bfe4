"""An image's tag is the hash of what it is built from."""

import shutil
from pathlib import Path

import pytest

from dev import buildah, images
from dev.images import OPERATOR, RUNTIME, RUNTIME_GPU, Image
from dev.paths import ROOT


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository with the same inputs."""
    for member in ("operator", "runtime"):
        (tmp_path / member / "src").mkdir(parents=True)
        shutil.copy(ROOT / member / "pyproject.toml", tmp_path / member)
        (tmp_path / member / "src" / "code.py").write_text("1")
    for name in ("pyproject.toml", "uv.lock", ".dockerignore"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(images, "ROOT", tmp_path)
    return tmp_path


def test_a_changed_source_changes_the_tag_of_its_own_image_only(tree: Path) -> None:
    before = RUNTIME.tag, OPERATOR.tag
    (tree / "runtime" / "src" / "code.py").write_text("2")
    assert RUNTIME.tag != before[0]
    assert OPERATOR.tag == before[1]


def test_a_changed_lock_changes_every_tag(tree: Path) -> None:
    before = RUNTIME.tag, OPERATOR.tag
    (tree / "uv.lock").write_text("other")
    assert RUNTIME.tag != before[0]
    assert OPERATOR.tag != before[1]


def test_caches_of_python_change_no_tag(tree: Path) -> None:
    before = RUNTIME.tag
    (tree / "runtime" / "src" / "__pycache__").mkdir()
    (tree / "runtime" / "src" / "__pycache__" / "code.pyc").write_bytes(b"x")
    assert RUNTIME.tag == before


def test_variants_differ_in_tag_and_alias(tree: Path) -> None:
    assert RUNTIME.alias == "localhost/mlneuron-runtime:dev"
    assert RUNTIME_GPU.alias == "localhost/mlneuron-runtime:dev-gpu"
    assert RUNTIME_GPU.tag.startswith("dev-gpu-")
    assert RUNTIME.tag.rpartition("-")[2] != RUNTIME_GPU.tag.rpartition("-")[2]


def test_old_archives_are_dropped_without_touching_the_other_variant(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[str] = []
    monkeypatch.setattr(buildah, "forget", forgotten.append)
    names = [f"runtime-dev-{number:012x}.tar" for number in range(5)] + ["runtime-dev-gpu-000000000000.tar"]
    for name in names:
        (tmp_path / name).touch()
    images.prune(Image("runtime", "cpu"), tmp_path / names[4])
    left = {path.name for path in tmp_path.glob("*.tar")}
    assert len(left) == images.KEPT_ARCHIVES + 1
    assert "runtime-dev-gpu-000000000000.tar" in left
    assert len(forgotten) == 2
    assert all(name.startswith("localhost/mlneuron-runtime:dev-0") for name in forgotten)
