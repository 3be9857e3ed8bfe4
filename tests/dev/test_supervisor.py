"""The supervisor keeps processes running, and ends them with itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dev.errors import DevError
from dev.paths import ROOT
from dev.process import Recorded, detach, wait_for
from dev.supervisor import Component, Plan


def _supervise(folder: Path, script: str) -> "subprocess.Popen[bytes]":
    Plan(str(folder), [Component("work", ["/bin/sh", "-c", script])]).write(folder / "plan.json")
    command = [sys.executable, "-m", "dev.supervisor", str(folder / "plan.json")]
    return subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT)


def _pids(log: Path) -> list[int]:
    return [int(word) for word in log.read_text().split()] if log.exists() else []


def test_everything_ends_when_the_starter_lets_go_of_the_pipe(tmp_path: Path) -> None:
    supervisor = _supervise(tmp_path, "echo $$; exec sleep 1000")
    wait_for("a process", lambda: bool(_pids(tmp_path / "work.log")), 10)
    work = Recorded.of(_pids(tmp_path / "work.log")[0])
    assert work.alive()
    supervisor.communicate()
    assert not work.alive()
    assert supervisor.returncode == 0


def test_a_process_that_ends_is_started_again(tmp_path: Path) -> None:
    supervisor = _supervise(tmp_path, "echo $$")
    try:
        wait_for("three lives", lambda: len(_pids(tmp_path / "work.log")) >= 3, 20)
    finally:
        supervisor.communicate()


def test_a_recorded_process_is_not_taken_for_a_later_one_with_its_pid(tmp_path: Path) -> None:
    mine, pipe = detach(["sleep", "1000"], tmp_path / "log")
    os.close(pipe)
    try:
        assert not Recorded(mine.pid, "1").alive()
        Recorded(mine.pid, "1").end()
        assert mine.alive()
    finally:
        mine.end()
    assert not mine.alive()


def test_waiting_for_what_never_comes_names_it() -> None:
    with pytest.raises(DevError, match="the moon: not so after"):
        wait_for("the moon", lambda: False, 0.1, interval=0.01)
