"""The bare node's traces on the machine outside its namespaces: a number, a network link, cgroups."""

import os
import time
from contextlib import suppress
from pathlib import Path

from dev.controlplane import Address
from dev.errors import DevError
from dev.process import run, wait_for

MOST_NODES = 20
_CGROUPS = Path("/sys/fs/cgroup")


def free_number() -> int:
    """The first number whose link is not there; the caller holds a lock until it has made it."""
    for number in range(MOST_NODES):
        if not _link(number).exists():
            return number
    raise DevError(f"{MOST_NODES} nodes run here already: end one with `make down` in its checkout")


def address(number: int) -> Address:
    """The node's own network, and its pods' and Services'. They exist only in the node's namespace."""
    pods, services = f"10.{200 + number}.0.0/16", f"10.{96 + number}.0.0/16"
    return Address(f"10.89.{number}.2", 6443, 2379, 2380, 10257, services, pods)


def outside(number: int) -> str:
    """The machine's own address on the link: where pods reach servers that tests run."""
    return f"10.89.{number}.1"


def cgroup(number: int) -> str:
    """The root of the node's pods' cgroups, apart from other nodes'."""
    return f"/mlneuron-{number}"


def connect(number: int, inside: int) -> None:
    """Link the machine with the network namespace of process `inside`, both ways, and nothing beyond."""
    name, theirs = f"mln{number}", address(number)
    run(["ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(inside)])
    run(["ip", "address", "add", f"{outside(number)}/24", "dev", name])
    run(["ip", "link", "set", name, "up"])
    enter = ("nsenter", "--target", str(inside), "--net", "ip")
    run([*enter, "address", "add", f"{theirs.host}/24", "dev", "eth0"])
    run([*enter, "link", "set", "eth0", "up"])
    # Looked up before kube-proxy rewrites the address: without a route the node itself could not call a Service.
    run([*enter, "route", "add", theirs.services, "via", outside(number)])
    for network in (theirs.services, theirs.pods):
        run(["ip", "route", "replace", network, "via", theirs.host, "dev", name])


def drop_link(number: int) -> None:
    """The kernel drops the link with the namespace, a moment later; help it if it was never moved there."""
    with suppress(DevError):
        wait_for("the link gone", lambda: not _link(number).exists(), 5, interval=0.05)
        return
    run(["ip", "link", "delete", f"mln{number}"])


def make_cgroups(number: int) -> None:
    """The kubelet wants its root cgroup to be there, in each hierarchy."""
    for hierarchy in _hierarchies():
        (hierarchy / cgroup(number)[1:]).mkdir(exist_ok=True)


def drop_cgroups(number: int) -> None:
    """Remove the empty folders, deepest first; a dying process may hold one for a moment."""
    roots = [hierarchy / cgroup(number)[1:] for hierarchy in _hierarchies()]
    deadline = time.monotonic() + 10
    while any(root.exists() for root in roots) and time.monotonic() < deadline:
        for root in roots:
            for folder, _, _ in os.walk(root, topdown=False):
                with suppress(OSError):
                    Path(folder).rmdir()
        time.sleep(0.05)


def _hierarchies() -> list[Path]:
    """One on cgroup v2, one a controller on v1 (links among them are names for the same)."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return [path for path in _CGROUPS.iterdir() if path.is_dir() and not path.is_symlink()]


def _link(number: int) -> Path:
    return Path(f"/sys/class/net/mln{number}")
