"""The container images: their inputs' hash is their tag, so an unchanged image is neither built nor loaded again."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dev import buildah
from dev.docker import docker, engine_answers
from dev.paths import ROOT, cache
from dev.progress import step

_SHARED = ("pyproject.toml", "uv.lock", ".dockerignore", "operator/pyproject.toml", "runtime/pyproject.toml")
_SKIPPED = {"__pycache__", ".venv", "dist", "build", ".mypy_cache", ".ruff_cache"}
KEPT_ARCHIVES = 3


@dataclass(frozen=True)
class Image:
    """One image of the project: `localhost/mlneuron-runtime:dev` and the like."""

    member: str
    variant: str = ""

    @property
    def repository(self) -> str:
        """Its name without a tag."""
        return f"localhost/mlneuron-{self.member}"

    @property
    def alias(self) -> str:
        """The name that does not change with the content."""
        return f"{self.repository}:dev" + (f"-{self.variant}" if self.variant == "gpu" else "")

    @property
    def tag(self) -> str:
        """The tag that names the content."""
        digest = hashlib.sha256(f"{self.variant} {buildah.base_recipe()}".encode())
        for path in self._inputs():
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
        return self.alias.rpartition(":")[2] + "-" + digest.hexdigest()[:12]

    @property
    def reference(self) -> str:
        """The full name that manifests use: a new build is a new name, so pods are rolled."""
        return f"{self.repository}:{self.tag}"

    @property
    def archive(self) -> Path:
        """Where its built form is kept."""
        return cache() / "images" / f"{self.member}-{self.tag}.tar"

    def _inputs(self) -> Iterator[Path]:
        yield from (ROOT / name for name in _SHARED)
        for folder, folders, files in os.walk(ROOT / self.member):
            folders[:] = sorted(name for name in folders if name not in _SKIPPED and not name.endswith(".egg-info"))
            yield from (Path(folder, name) for name in sorted(files))


OPERATOR = Image("operator")
RUNTIME = Image("runtime", "cpu")
RUNTIME_GPU = Image("runtime", "gpu")


def ensure(image: Image) -> Path:
    """Build it unless its inputs are unchanged; the archive of it, without Docker the only place where it is."""
    if engine_answers():
        with step(f"building {image.alias} with Docker"):
            names = ("-t", image.reference, "-t", image.alias)
            docker("build", "-f", f"{image.member}/Dockerfile", *_variant(image), *names, str(ROOT))
        return image.archive
    archive, reference = image.archive, image.reference
    if not archive.exists():
        with step(f"building {image.alias}"):
            buildah.build(ROOT / image.member / "Dockerfile", reference, _variant(image))
        with step(f"saving {image.alias}"):
            buildah.save(reference, archive)
        prune(image, archive)
    return archive


def pause() -> tuple[str, Path]:
    """The image that holds a pod's namespaces, and its archive."""
    return buildah.PAUSE, buildah.pause_archive()


def _variant(image: Image) -> tuple[str, ...]:
    return ("--build-arg", f"VARIANT={image.variant}") if image.variant else ()


def prune(image: Image, newest: Path) -> None:
    """Keep a few archives of an image; a development day makes many."""
    stem = newest.stem.rpartition("-")[0]
    archives = [path for path in newest.parent.glob(f"{stem}-*.tar") if path.stem.rpartition("-")[0] == stem]
    for old in sorted(archives, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT_ARCHIVES:]:
        old.unlink()
        buildah.forget(f"{image.repository}:{old.stem.removeprefix(image.member + '-')}")


def clean() -> None:
    """Drop every built image of the cache (the next build starts from nothing)."""
    shutil.rmtree(cache() / "images", ignore_errors=True)
