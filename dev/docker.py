"""The Docker engine, where one answers."""

# ruff: noqa: S603 - fixed commands

import functools
import shutil
import subprocess

from dev.process import run


@functools.cache
def engine_answers() -> bool:
    """Whether a Docker engine runs here: the command alone, without one, is no help."""
    if not shutil.which("docker"):
        return False
    asked = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        return subprocess.run(asked, check=False, capture_output=True, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def docker(*arguments: str) -> str:
    """Run one docker command."""
    return run(["docker", *arguments])
