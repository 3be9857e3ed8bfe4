"""A real Kubernetes node on a bare Linux machine, as root, without Docker.

Network, mount and PID namespaces are made by one `unshare`; ending that process ends the node and all its pods, and
the kernel drops the mounts and the network link with it.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dev import buildah, controlplane, nodeconfig, nodehost, nodeinit, pki, supervisor, tools
from dev.cluster import Cluster
from dev.controlplane import Layout
from dev.errors import DevError, tail
from dev.images import Image
from dev.images import ensure as ensure_image
from dev.process import Recorded, child_of, detach, run, wait_for
from dev.progress import say, step
from dev.supervisor import Plan

# ruff: noqa: S603 - every command here is fixed

RECOVERY_SECONDS = 20
START_SECONDS = 120
_IMAGES = (f"{nodeconfig.CONTAINERD}/ctr", "-n", "k8s.io", "images")
_NAMESPACES = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private")
_STORAGE_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "kubernetes.io/host-path",
    "volumeBindingMode": "WaitForFirstConsumer",
    "reclaimPolicy": "Delete",
}


@dataclass(frozen=True)
class Node(Cluster):
    """One node, kept under a state folder; several can run side by side, each with its own number and addresses."""

    @property
    def direct(self) -> bool:
        """Routes lead from the machine to Services and pods."""
        return True

    @property
    def outside(self) -> str:
        """The machine's address as pods reach it: where a test's own server listens."""
        return nodehost.outside(self.number)

    @property
    def number(self) -> int:
        """What tells its link, addresses and cgroups from those of other nodes of this machine."""
        return int(self._read()["number"])

    @property
    def _folder(self) -> Path:
        return self.state / "node"

    @property
    def _record(self) -> Path:
        return self.state / "node.json"

    @property
    def first_process(self) -> int:
        """PID 1 of the node, by its number outside; its namespaces are the node's."""
        return int(self._read()["processes"][1][0])

    def up(self) -> None:
        """Make sure that it runs: a live one is kept, a half-dead or outdated one is built anew."""
        tools.install(tools.NODE_PACKAGES)
        if self._record.exists():
            if self.healthy(RECOVERY_SECONDS):
                return
            say("  .. the node is half-dead or made by other versions: building it anew")
            self.down()
        self._start()

    def healthy(self, seconds: float) -> bool:
        """Whether its processes live and, after `seconds` of grace for restarts, Kubernetes says Ready."""
        record = self._read()
        if not record or record["versions"] != _versions() or not self._lives(record):
            return False
        try:
            wait_for("the node", lambda: self._ready(record["number"]), seconds)
        except DevError:
            return False
        return True

    def down(self) -> None:
        """End it and leave nothing: no process, mount, namespace, link, cgroup or file."""
        record = self._read()
        for pid, started in record.get("processes", []):
            Recorded(pid, started).end()
        if record:
            nodehost.drop_link(record["number"])
            nodehost.drop_cgroups(record["number"])
        shutil.rmtree(self._folder, ignore_errors=True)
        self.kubeconfig.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)

    def load(self, images: Iterable[Image]) -> None:
        """Build what changed and import what the node does not have."""
        present = self._in_node(*_IMAGES, "list", "-q").split()
        for image in images:
            archive = ensure_image(image)
            if image.reference not in present:
                with step(f"loading {image.alias} into the node"):
                    self.import_images(archive)
                    self._in_node(*_IMAGES, "tag", "--force", image.reference, image.alias)

    def _start(self) -> None:
        programs, others = tools.ensure("kubernetes"), [tools.ensure(name) for name in ("coredns", "containerd")]
        pause = buildah.pause_archive()
        with tools.locked("node-number"), step("starting the node"):
            number = nodehost.free_number()
            self._write(number, programs)
            self._save(number, [])
            process = self._launch(number, [programs, *others])
        with step("waiting for Kubernetes to be ready"):
            self._await(number, process, pause)

    def _write(self, number: int, programs: Path) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        (self._folder / "logs").mkdir(parents=True)
        layout = Layout(self._folder, nodeconfig.STATE, nodeconfig.BIN, Path("/usr/bin/etcd"))
        components = nodeconfig.write(layout, nodehost.address(number), nodehost.cgroup(number))
        Plan(str(nodeconfig.STATE / "logs"), components, ["/tmp/hostpath_pv"]).write(self._folder / "plan.json")  # noqa: S108 - the node's own /tmp
        shutil.copy(self._folder / "kubeconfig", self.kubeconfig)

    def _launch(self, number: int, programs: list[Path]) -> Recorded:
        """Start PID 1 in its namespaces and, once its network is there, let it go on."""
        nodehost.make_cgroups(number)
        init: tuple[str | Path, ...] = (sys.executable, "-m", "dev.nodeinit", self._folder, *programs)
        process, pipe = detach(("unshare", *_NAMESPACES, *init), self._folder / "logs" / "init.log")
        self._save(number, [process])
        with os.fdopen(pipe, "wb") as go:
            wait_for("the node's first process", lambda: child_of(process.pid) is not None, 10, interval=0.05)
            inside = Recorded.of(child_of(process.pid) or 0)
            self._save(number, [process, inside])
            nodehost.connect(number, inside.pid)
            go.write(b"go\n")
        return process

    def _await(self, number: int, process: Recorded, pause: Path) -> None:
        try:
            wait_for("containerd", self._containerd_answers, START_SECONDS)
            self.import_images(pause)
            wait_for("Kubernetes", lambda: not process.alive() or self._ready(number), START_SECONDS)
            if not process.alive():
                raise DevError("the node's first process ended")
            self.kubectl("apply", "-f", "-", text=json.dumps(_STORAGE_CLASS))
        except DevError as error:
            logs = sorted((self._folder / "logs").glob("*.log"))
            raise DevError("\n".join([str(error), *(tail(log, 4) for log in logs)])) from error

    def _ready(self, number: int) -> bool:
        address = nodehost.address(number)
        layout = Layout(self._folder, nodeconfig.STATE, nodeconfig.BIN, Path("/usr/bin/etcd"))
        if not controlplane.ready(layout, address) or not controlplane.controllers_work(
            tools.program("kubectl"), self.kubeconfig
        ):
            return False
        path = '{.status.conditions[?(@.type=="Ready")].status}'
        try:
            said = self.kubectl("get", "node", nodeconfig.NODE_NAME, "-o", f"jsonpath={path}")
        except DevError:
            return False
        return said == "True" and _listens(address.host, 53)

    def _containerd_answers(self) -> bool:
        try:
            self._in_node(f"{nodeconfig.CONTAINERD}/ctr", "version")
        except DevError:
            return False
        return True

    def import_images(self, archive: Path) -> None:
        """Those of a file, under the names that it gives them."""
        with archive.open("rb") as content:
            command = [*self._enter(), *_IMAGES, "import", "-"]
            result = subprocess.run(command, check=False, stdin=content, capture_output=True, text=True)
        if result.returncode:
            raise DevError(f"loading {archive.name} failed:\n{result.stderr}")

    def _in_node(self, *command: str) -> str:
        return run([*self._enter(), *command])

    def _enter(self) -> list[str]:
        return ["nsenter", "--target", str(self.first_process), "--mount", "--net"]

    def _lives(self, record: dict[str, object]) -> bool:
        processes = record["processes"]
        assert isinstance(processes, list)  # noqa: S101 - as saved
        return bool(processes) and all(Recorded(pid, started).alive() for pid, started in processes)

    def _read(self) -> dict:  # type: ignore[type-arg]  # JSON of our own
        try:
            return dict(json.loads(self._record.read_text()))
        except (OSError, ValueError):
            return {}

    def _save(self, number: int, processes: list[Recorded]) -> None:
        kept = [(process.pid, process.started) for process in processes]
        self._record.write_text(json.dumps({"number": number, "processes": kept, "versions": _versions()}))


def _versions() -> list[str]:
    """What a node is made of: with other programs or another set-up it is another node."""
    sources = (controlplane, nodeconfig, nodehost, nodeinit, pki, supervisor)
    setup = b"".join(Path(module.__file__ or "").read_bytes() for module in sources)
    programs = [tools.TOOLS[name].folder.name for name in ("kubernetes", "coredns", "containerd")]
    return [*programs, hashlib.sha256(setup).hexdigest()[:12]]


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
