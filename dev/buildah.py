"""Image builds without a Docker engine and without a registry of images.

buildah runs in a mount namespace of its own, so that none of its mounts stays behind. The base image comes from
Debian's packages.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from dev import tools
from dev.paths import ROOT, cache
from dev.process import run
from dev.progress import step

BASE = "localhost/python:3.11"
PAUSE = "localhost/mlneuron-pause:dev"
_BASE_PACKAGES = "python3-minimal,python3-venv,ca-certificates"
_BASE_SUITE = "bookworm"
_TRIMMED = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
)
_OF_THIS_MACHINE = ("/etc/ssl/certs", "/etc/resolv.conf")


def base_recipe() -> str:
    """What the base image is made of, as text: part of the hash of the images on top of it."""
    return f"{_BASE_SUITE} {_BASE_PACKAGES} {_TRIMMED}"


def _buildah(*arguments: str | Path, log: Path | None = None) -> str:
    tools.install(tools.NODE_PACKAGES)
    storage = cache() / "buildah"
    (storage / "run").mkdir(parents=True, exist_ok=True)
    script = f'mount -t tmpfs tmpfs "{storage}/run" && exec "$@"'
    places = ("--root", storage / "storage", "--runroot", storage / "run", "--storage-driver", "overlay")
    inner = ("sh", "-c", script, "sh", "buildah", *places, *arguments)
    env = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
    with tools.locked("buildah"):  # each has its own idea of what is mounted
        return run(["unshare", "--mount", "--propagation", "private", *inner], log=log, env=env).strip()


def build(dockerfile: Path, reference: str, arguments: Sequence[str]) -> None:
    """Build from the repository's root; the build stage sees this machine's certificates and name servers."""
    ensure_base()
    volumes = [part for place in _OF_THIS_MACHINE for part in ("--volume", f"{place}:{place}:ro")]
    base = ("--build-arg", f"PYTHON_IMAGE={BASE}", *arguments)
    options: tuple[str | Path, ...] = (
        "--layers",
        "--network",
        "host",
        "--ignorefile",
        ROOT / ".dockerignore",
        *volumes,
        *base,
    )
    log = cache() / "logs" / f"image-{reference.rpartition('/')[2].replace(':', '-')}.log"
    log.unlink(missing_ok=True)
    _buildah("bud", *options, "--tag", reference, "--file", dockerfile, ROOT, log=log)


def save(reference: str, archive: Path) -> None:
    """Write an image as one file that containerd imports; whole or not at all."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    _buildah("push", "--quiet", reference, f"docker-archive:{partial}:{reference}", log=cache() / "logs" / "save.log")
    partial.replace(archive)


def data_image(reference: str, folder: Path, archive: Path) -> None:
    """Make an image of the files in a folder and nothing else, as one file that containerd imports."""
    _commit(folder, reference, ())
    save(reference, archive)
    forget(reference)


def forget(reference: str) -> None:
    """Drop an image from buildah's store, if it is there."""
    if _exists(reference):
        _buildah("rmi", reference)


def ensure_base() -> None:
    """Make the base image from Debian's packages, once."""
    with tools.locked("base-image"):
        if not _exists(BASE):
            with step("making the Python base image (1 minute)"):
                _make_base(cache() / "base-image")


def _make_base(rootfs: Path) -> None:
    tools.install(tools.NODE_PACKAGES)
    shutil.rmtree(rootfs, ignore_errors=True)
    bootstrap = ("debootstrap", "--variant=minbase", f"--include={_BASE_PACKAGES}", _BASE_SUITE, rootfs)
    isolated = ("unshare", "--mount", "--propagation", "private")
    run([*isolated, *bootstrap], log=cache() / "logs" / "base-image.log")
    for place in _TRIMMED:
        shutil.rmtree(rootfs / place, ignore_errors=True)
    (rootfs / "var" / "log").mkdir()
    _commit(rootfs, BASE, ("--env", "PYTHONUNBUFFERED=1", "--cmd", "python3"))
    shutil.rmtree(rootfs)


def pause_archive() -> Path:
    """The archive of the pod-sandbox image, a small static C program."""
    source = ROOT / "dev" / "pause.c"
    key = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    archive = cache() / "images" / f"pause-{key}.tar"
    with tools.locked("pause-image"):
        if not archive.exists():
            rootfs = cache() / "pause-image"
            rootfs.mkdir(parents=True, exist_ok=True)
            run(["gcc", "-static", "-Os", "-o", rootfs / "pause", source])
            _commit(rootfs, PAUSE, ("--entrypoint", '["/pause"]', "--user", "65535"))
            save(PAUSE, archive)
            shutil.rmtree(rootfs)
    return archive


def _commit(rootfs: Path, reference: str, config: Sequence[str]) -> None:
    container = _buildah("from", "scratch")
    _buildah("copy", "--quiet", container, rootfs, "/")
    if config:
        _buildah("config", *config, container)
    _buildah("commit", "--quiet", "--rm", container, reference)


def _exists(reference: str) -> bool:
    return reference in _buildah("images", "--format", "{{.Name}}:{{.Tag}}").splitlines()
