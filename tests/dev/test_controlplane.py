"""The control plane alone: real, and gone afterwards."""

import subprocess
from pathlib import Path

import pytest

from dev import controlplane, tools

pytestmark = pytest.mark.integration


def _processes_with(text: str) -> list[str]:
    lines = subprocess.run(["ps", "-ewwo", "args"], check=True, capture_output=True, text=True).stdout.splitlines()
    return [line for line in lines if text in line]


def test_it_runs_controllers_and_leaves_no_process(tmp_path: Path) -> None:
    with controlplane.running(tmp_path / "cp") as kubeconfig:
        asked = [str(tools.program("kubectl")), f"--kubeconfig={kubeconfig}", "get", "serviceaccount", "default"]
        said = subprocess.run([*asked, "-o", "name"], check=True, capture_output=True, text=True).stdout
        assert said.strip() == "serviceaccount/default"
        assert _processes_with(str(tmp_path))
    assert not _processes_with(str(tmp_path))
