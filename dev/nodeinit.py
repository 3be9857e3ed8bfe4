"""PID 1 of the bare node: arranges its namespaces, then keeps its processes.

Started by `dev.node` in fresh network, mount and PID namespaces. Everything that would lie in shared folders of the
machine gets a mount that only the node sees, so that two nodes do not meet and nothing stays behind.
"""

import subprocess
import sys
from pathlib import Path

from dev.nodeconfig import BIN, CONTAINERD, STATE
from dev.supervisor import Plan, Supervisor

VOLUMES = "/tmp/hostpath_pv"  # noqa: S108 - fixed by Kubernetes' host-path provisioner; /tmp is the node's own


def main(state: Path, programs: Path, coredns: Path, containerd: Path) -> None:
    """Wait for the network (one line on standard input), mount, run."""
    sys.stdin.readline()
    _mount(state, programs, coredns, containerd)
    _do("ip", "link", "set", "lo", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    Path(VOLUMES).mkdir(parents=True, exist_ok=True)
    Supervisor(Plan.read(STATE / "plan.json")).run(until_eof=False)


def _mount(state: Path, programs: Path, coredns: Path, containerd: Path) -> None:
    _tmpfs("/run")
    _bind(state, STATE)
    _bind(programs, BIN)
    _bind(coredns, Path("/run/mlneuron/coredns"))
    _bind(containerd, CONTAINERD)
    temporary = STATE / "tmp"
    temporary.mkdir(exist_ok=True)
    temporary.chmod(0o1777)
    _bind(temporary, Path("/tmp"))  # noqa: S108 - the mount's target, seen by the node alone
    Path("/var/lib/cni").mkdir(parents=True, exist_ok=True)
    _tmpfs("/var/lib/cni")
    _tmpfs("/var/log")
    _do("mount", "--make-rshared", "/")


def _tmpfs(target: str) -> None:
    _do("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", target)


def _bind(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    _do("mount", "--bind", str(source), str(target))


def _do(*command: str) -> None:
    subprocess.run(command, check=True)  # noqa: S603 - fixed commands


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
