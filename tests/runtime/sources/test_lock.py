"""One holder among processes that share a folder, and none for ever."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from mlneuron_runtime.sources.lock import Lock

from tests.runtime.support import environment
from tests.support.kube import eventually

COUNT = """
import sys, time
from pathlib import Path
from mlneuron_runtime.sources.lock import Lock

folder = Path(sys.argv[1])
for _ in range(5):
    with Lock(folder, ".m.lock", poll=0.005):
        number = int((folder / "count").read_text())
        time.sleep(0.01)
        (folder / "count").write_text(str(number + 1))
"""

HOLD = """
import sys, time
from pathlib import Path
from mlneuron_runtime.sources.lock import Lock

with Lock(Path(sys.argv[1]), ".m.lock", beat=0.05):
    print("held", flush=True)
    time.sleep(600)
"""


def started(folder: Path, program: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", program, str(folder)]
    return subprocess.Popen(command, env=environment(folder), stdout=subprocess.PIPE, text=True)


def test_only_one_process_at_a_time_holds_it(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    processes = [started(tmp_path, COUNT) for _ in range(6)]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert (tmp_path / "count").read_text() == "30"
    assert not list(tmp_path.glob(".m.lock.*")), "released"


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    with started(tmp_path, HOLD) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()
    with Lock(tmp_path, ".m.lock", stale=0.5, poll=0.01):
        assert [path.name for path in tmp_path.glob(".m.lock.*")] == [".m.lock.1"]
    assert not list(tmp_path.glob(".m.lock.*"))


def test_a_living_process_keeps_it_for_as_long_as_it_takes(tmp_path: Path) -> None:
    entered = threading.Event()

    def wait() -> None:
        with Lock(tmp_path, ".m.lock", stale=2.0, poll=0.01):
            entered.set()

    with started(tmp_path, HOLD) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not entered.wait(4.0), "it beats"
        holder.kill()
    assert entered.wait(60)
    waiting.join(60)


def test_of_many_that_see_it_stale_one_takes_over(tmp_path: Path) -> None:
    (tmp_path / ".m.lock.3").write_text("elsewhere 1 17")
    inside: list[int] = []
    most: list[int] = []

    def take() -> None:
        with Lock(tmp_path, ".m.lock", stale=0.3, poll=0.01, beat=0.01):
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == [1] * 8


def test_what_fails_inside_releases_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), Lock(tmp_path, ".m.lock"):
        raise ValueError("inside")
    eventually("the lock is free", lambda: not list(tmp_path.glob(".m.lock.*")))
