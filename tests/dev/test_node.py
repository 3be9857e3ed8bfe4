"""The bare node: recognised when half-dead, and gone without a trace."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dev.docker import engine_answers
from dev.node import Node
from dev.process import Recorded, wait_for

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        engine_answers() or sys.platform != "linux" or os.geteuid() != 0,
        reason="the bare node is for Linux machines without Docker, as root",
    ),
]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node of this test's own beside any other; ended whatever happens."""
    node = Node(tmp_path, "mlneuron-dev-test")
    yield node
    node.down()


def _traces(number: int) -> list[str]:
    """What the machine has of a node: link, routes, cgroups, mounts."""
    routes = subprocess.run(["ip", "-o", "route"], check=True, capture_output=True, text=True).stdout.splitlines()
    cgroups = Path("/sys/fs/cgroup").glob(f"*/mlneuron-{number}")
    return [
        *(path.name for path in Path("/sys/class/net").glob(f"mln{number}")),
        *(route for route in routes if f"dev mln{number}" in route),
        *(str(path) for path in cgroups),
    ]


def _mounts() -> set[str]:
    return set(Path("/proc/self/mountinfo").read_text().splitlines())


def _processes(node: Node) -> list[Recorded]:
    """Processes in the node's PID namespace."""
    theirs = os.readlink(f"/proc/{node.first_process}/ns/pid")
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if os.readlink(entry / "ns" / "pid") == theirs:
                found.append(Recorded.of(int(entry.name)))
    return found


def test_it_comes_up_is_mended_when_half_dead_and_leaves_nothing(node: Node) -> None:
    mounts = _mounts()
    node.up()
    first = node.first_process
    assert node.kubectl("get", "storageclass", "-o", "name").strip() == "storageclass.storage.k8s.io/standard"
    processes = _processes(node)
    assert len(processes) >= 8

    node.up()
    assert node.first_process == first, "a live node is kept"

    os.kill(node.first_process, signal.SIGKILL)
    wait_for("the node dead", lambda: not node.healthy(0), 20)
    node.up()
    assert node.first_process != first, "a dead one is built anew"
    assert node.healthy(0)

    number, processes = node.number, [*processes, *_processes(node)]
    assert len(_traces(number)) >= 4, "the traces looked for are those that a node makes"
    node.down()
    assert not [process for process in processes if process.alive()]
    assert _traces(number) == []
    assert _mounts() <= mounts
    assert not node.kubeconfig.exists()


def test_a_server_killed_inside_is_started_again(node: Node) -> None:
    node.up()
    first = node.first_process
    names = {Path("/proc", str(process.pid), "comm").read_text().strip(): process for process in _processes(node)}
    os.kill(names["kube-apiserver"].pid, signal.SIGKILL)
    node.up()
    assert node.first_process == first
    assert node.healthy(0)


def test_a_gpu_that_is_not_there_can_be_requested(node: Node) -> None:
    node.up()
    node.advertise_gpus(4)
    path = r"jsonpath={.status.allocatable.nvidia\.com/gpu}"
    wait_for("GPUs", lambda: node.kubectl("get", "node", "mlneuron", "-o", path) == "4", 30)
