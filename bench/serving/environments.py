"""Environments: one a peer from its pinned requirements, and this runtime's as its image has it, under .bench/envs.

All are byte-compiled, so that cold starts compare servers and not compilers. An environment is made anew when what it
is made of has changed.
"""

# ruff: noqa: S603 - commands come from this package, never from outside

import hashlib
import os
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from dev import tools
from dev.paths import ROOT
from dev.progress import step

PEERS = Path(__file__).parent / "peers"
OURS = {"ours": ("cpu",), "ours_torch": ("cpu", "torch")}
"""Environments with this runtime, and its extras in each."""


class NotInstalled(Exception):
    """An environment that could not be made, with the last line of why."""


@cache
def environment(name: str, folder: Path) -> Path:
    """The folder of programs of one environment, made if need be; raises NotInstalled.

    Looked at once a run: a source that is edited while it runs does not change what is measured.
    """
    home, stamp = folder / name, folder / f"{name}.stamp"
    key = _key(_sources(name))
    if not stamp.exists() or stamp.read_text() != key:
        stamp.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        with step(f"installing {name} into {home.relative_to(ROOT)}"):
            (_install_ours if name in OURS else _install_peer)(name, home)
        stamp.write_text(key)
    return home / "bin"


def _sources(name: str) -> Iterable[Path]:
    if name not in OURS:
        return [PEERS / name / "requirements.txt"]
    package = ROOT / "runtime"
    return [ROOT / "uv.lock", package / "pyproject.toml", *sorted((package / "src").rglob("*.py*"))]


def _key(paths: Iterable[Path]) -> str:
    content = b"".join(path.read_bytes() for path in paths if path.is_file() and path.suffix != ".pyc")
    return hashlib.sha256(content).hexdigest()


def _install_peer(name: str, home: Path) -> None:
    python = home / "bin" / "python"
    _uv("venv", "--clear", "--python", "3.11", str(home))
    _uv("pip", "sync", "--compile-bytecode", "--python", str(python), str(PEERS / name / "requirements.txt"))


def _install_ours(name: str, home: Path) -> None:
    extras = [argument for extra in OURS[name] for argument in ("--extra", extra)]
    command = ["sync", "--package", "mlneuron-runtime", *extras, "--no-dev", "--locked", "--no-editable"]
    _uv(*command, "--reinstall-package", "mlneuron-runtime", "--compile-bytecode", UV_PROJECT_ENVIRONMENT=str(home))


def _uv(*arguments: str, **variables: str) -> None:
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", **variables}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # some machines set it; then nothing would be compiled
    done = subprocess.run([str(tools.uv()), *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstalled((done.stderr.strip().splitlines() or ["uv failed"])[-1])
