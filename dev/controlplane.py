"""The control plane: etcd, kube-apiserver, kube-controller-manager.

The bare node runs it in its network namespace. Alone, on loopback with free ports and without root, it is what
integration tests and benchmarks talk to: a real API server and real controllers, no node.
"""

# ruff: noqa: S603 - every command here is fixed, or the one that the person gave

import os
import shutil
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dev import tools
from dev.errors import DevError, tail
from dev.paths import ROOT
from dev.pki import Pki
from dev.ports import free_ports
from dev.process import wait_for
from dev.supervisor import Component, Plan

START_SECONDS = 90


@dataclass(frozen=True)
class Address:
    """Where the control plane listens and which addresses its Services get."""

    host: str
    api_port: int
    etcd_port: int
    etcd_peer_port: int
    controllers_port: int
    services: str = "10.96.0.0/16"
    pods: str = "10.244.0.0/16"

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{self.host}:{self.api_port}"

    @property
    def kubernetes_service(self) -> str:
        """The first Service address, which the API server gives itself."""
        return self.services.split("/", maxsplit=1)[0].removesuffix(".0") + ".1"


@dataclass(frozen=True)
class Layout:
    """The cluster's folder as seen from here, and as its processes see it (`view`), with their programs."""

    root: Path
    view: Path
    bin: Path
    etcd: Path

    @property
    def pki(self) -> Path:
        """Certificates, from here."""
        return self.root / "pki"


def issue_certificates(layout: Layout, address: Address) -> Pki:
    """Everything the control plane and an administrator present."""
    pki = Pki.create(layout.pki)
    service = "kubernetes.default.svc"
    local = ["localhost", "kubernetes", "kubernetes.default", service, f"{service}.cluster.local"]
    addresses = dict.fromkeys(("127.0.0.1", address.host, address.kubernetes_service))
    pki.issue("apiserver", "kube-apiserver", names=[f"DNS:{n}" for n in local] + [f"IP:{a}" for a in addresses])
    pki.issue("admin", "kubernetes-admin", group="system:masters")
    pki.issue("apiserver-kubelet", "kube-apiserver-kubelet-client", group="system:masters")
    pki.issue("controller-manager", "system:kube-controller-manager")
    pki.kubeconfig("controller-manager", address.server, layout.root / "controller-manager.kubeconfig")
    pki.kubeconfig("admin", address.server, layout.root / "kubeconfig")
    return pki


def components(layout: Layout, address: Address, *, node: bool, controllers_qps: int = 20) -> list[Component]:
    """The three processes; with a `node` the API server also publishes itself inside the cluster."""
    controllers = _controllers(layout, address, node=node, qps=controllers_qps)
    return [_etcd(layout, address), _apiserver(layout, address, node=node), controllers]


def _etcd(layout: Layout, address: Address) -> Component:
    client, peer = f"http://127.0.0.1:{address.etcd_port}", f"http://127.0.0.1:{address.etcd_peer_port}"
    flags = {
        "name": "dev",
        "data-dir": layout.view / "etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"dev={peer}",
        "quota-backend-bytes": 4 * 1024**3,
        "log-level": "warn",
        "logger": "zap",
    }
    return Component("etcd", [str(layout.etcd), *_flags(flags), "--unsafe-no-fsync"])


def _apiserver(layout: Layout, address: Address, *, node: bool) -> Component:
    pki = layout.view / "pki"
    flags = {
        "etcd-servers": f"http://127.0.0.1:{address.etcd_port}",
        "bind-address": address.host,
        "advertise-address": address.host,
        "secure-port": address.api_port,
        "endpoint-reconciler-type": "lease" if node else "none",
        "authorization-mode": "Node,RBAC",
        "allow-privileged": "true",
        "client-ca-file": pki / "ca.crt",
        "tls-cert-file": pki / "apiserver.crt",
        "tls-private-key-file": pki / "apiserver.key",
        "kubelet-client-certificate": pki / "apiserver-kubelet.crt",
        "kubelet-client-key": pki / "apiserver-kubelet.key",
        "kubelet-certificate-authority": pki / "ca.crt",
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": pki / "service-account.pub",
        "service-account-signing-key-file": pki / "service-account.key",
        "service-cluster-ip-range": address.services,
    }
    if node:
        flags["feature-gates"] = "ImageVolume=true"
    return Component("kube-apiserver", [str(layout.bin / "kube-apiserver"), *_flags(flags)])


def _controllers(layout: Layout, address: Address, *, node: bool, qps: int) -> Component:
    pki = layout.view / "pki"
    kubeconfig = layout.view / "controller-manager.kubeconfig"
    flags: dict[str, object] = {
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "bind-address": "127.0.0.1",
        "secure-port": address.controllers_port,
        "leader-elect": "false",
        "kube-api-qps": qps,
        "kube-api-burst": qps * 3 // 2,
        "use-service-account-credentials": "true",
        "root-ca-file": pki / "ca.crt",
        "service-account-private-key-file": pki / "service-account.key",
        "cluster-signing-cert-file": pki / "ca.crt",
        "cluster-signing-key-file": pki / "ca.key",
    }
    if node:
        # The in-tree provisioner of single-node development clusters: volumes are folders of the node.
        flags |= {"allocate-node-cidrs": "true", "cluster-cidr": address.pods, "enable-hostpath-provisioner": "true"}
    return Component("kube-controller-manager", [str(layout.bin / "kube-controller-manager"), *_flags(flags)])


def _flags(flags: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags.items()]


def ready(layout: Layout, address: Address) -> bool:
    """Whether the API server says so itself."""
    trust = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
    try:
        with urllib.request.urlopen(f"{address.server}/readyz", timeout=3, context=trust) as answer:  # noqa: S310 - https, our own
            return bool(answer.status == 200)
    except OSError:
        return False


def controllers_work(kubectl: Path, kubeconfig: Path) -> bool:
    """Whether the controllers have made the default service account, which pods need."""
    asked = [str(kubectl), f"--kubeconfig={kubeconfig}", "get", "serviceaccount", "default", "-n", "default"]
    return subprocess.run(asked, check=False, capture_output=True).returncode == 0


@contextmanager
def running(folder: Path, controllers_qps: int = 20) -> Iterator[Path]:
    """A control plane of one's own on loopback: yields the administrator's kubeconfig, then ends everything.

    ``controllers_qps`` bounds the requests a second of the controllers; 20 is what Kubernetes ships.

    Its processes also end when the caller is killed: they hang on a pipe that the kernel closes then.
    """
    kubernetes, etcd = tools.ensure("kubernetes"), tools.etcd()
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "logs").mkdir(parents=True)
    layout, address = Layout(folder, folder, kubernetes, etcd), _loopback()
    issue_certificates(layout, address)
    Plan(str(folder / "logs"), components(layout, address, node=False, controllers_qps=controllers_qps)).write(
        folder / "plan.json"
    )
    command = [sys.executable, "-m", "dev.supervisor", str(folder / "plan.json")]
    supervisor = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT, start_new_session=True)
    try:
        _await_start(layout, address, supervisor)
        yield folder / "kubeconfig"
    finally:
        supervisor.communicate()


def _await_start(layout: Layout, address: Address, supervisor: "subprocess.Popen[bytes]") -> None:
    kubectl, kubeconfig = layout.bin / "kubectl", layout.root / "kubeconfig"
    try:
        wait_for("the API server ready", lambda: supervisor.poll() is not None or ready(layout, address), START_SECONDS)
        wait_for("the controllers at work", lambda: controllers_work(kubectl, kubeconfig), START_SECONDS)
    except DevError as error:
        logs = sorted((layout.root / "logs").glob("*.log"))
        raise DevError("\n".join([str(error), *(tail(log, 5) for log in logs)])) from error


def _loopback() -> Address:
    api, etcd, etcd_peer, controllers = free_ports(4)
    return Address("127.0.0.1", api, etcd, etcd_peer, controllers)


def run_with(command: list[str], folder: Path) -> int:
    """The command line's form: run a command with KUBECONFIG set, or wait for Ctrl-C without one."""
    with running(folder) as kubeconfig:
        print(f"export KUBECONFIG={kubeconfig}", flush=True)
        env = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "PATH": f"{tools.ensure('kubernetes')}:{os.environ['PATH']}",
        }
        with suppress(KeyboardInterrupt):
            return subprocess.run(command or ["sleep", "infinity"], check=False, env=env).returncode
    return 0
