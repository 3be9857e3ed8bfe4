"""Programs that the cluster needs: Go builds in the cache, Debian packages, uv."""

# ruff: noqa: S603 - commands come from this package, never from outside

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dev.docker import engine_answers
from dev.errors import DevError
from dev.paths import ROOT, cache
from dev.process import run
from dev.progress import step

UV_VERSION = "0.13.9"
CONTROL_PLANE_PACKAGES = ("etcd-server", "openssl")
NODE_PACKAGES = (
    *CONTROL_PLANE_PACKAGES,
    *("runc", "containernetworking-plugins", "nftables", "iproute2", "conntrack", "socat"),
    *("buildah", "debootstrap", "gcc", "libc6-dev", "util-linux", "curl"),
)


@dataclass(frozen=True)
class GoTool:
    """A Go module under dev/tools that pins one project, and the programs built from it."""

    name: str
    packages: tuple[str, ...]
    about: str
    flags: tuple[str, ...] = ()
    pinned_by: str = ""

    @property
    def module(self) -> Path:
        """The folder of its go.mod: its own, or that of the project it is a part of."""
        return ROOT / "dev" / "tools" / (self.pinned_by or self.name)

    @property
    def programs(self) -> tuple[str, ...]:
        """The names of the built files."""
        return tuple(self.name if package == "." else package.rpartition("/")[2] for package in self.packages)

    @property
    def folder(self) -> Path:
        """Where its builds lie: a new pin or flag makes a new folder."""
        sources = b"".join(path.read_bytes() for path in sorted(self.module.iterdir()) if path.is_file())
        key = hashlib.sha256(sources + repr((self.packages, self.flags)).encode()).hexdigest()[:12]
        return cache() / "tools" / f"{self.name}-{key}"


_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_VERSION = "k8s.io/component-base/version"
_KUBERNETES_FLAGS = (f"-X {_VERSION}.gitVersion=v1.34.4", f"-X {_VERSION}.gitMajor=1", f"-X {_VERSION}.gitMinor=34")
_KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl")
TOOLS = {
    tool.name: tool
    for tool in (
        GoTool(
            "kubernetes",
            tuple(f"k8s.io/kubernetes/cmd/{program}" for program in _KUBERNETES),
            "Kubernetes 1.34 (4 to 6 minutes on 2 cores)",
            _KUBERNETES_FLAGS,
        ),
        GoTool("kubectl", ("k8s.io/kubernetes/cmd/kubectl",), "kubectl (1 minute)", _KUBERNETES_FLAGS, "kubernetes"),
        GoTool("helm", ("helm.sh/helm/v3/cmd/helm",), "helm (1 to 2 minutes)"),
        GoTool("coredns", (".",), "CoreDNS (1 minute)"),
        GoTool(
            "containerd",
            tuple(f"{_CONTAINERD}/{program}" for program in ("containerd", "containerd-shim-runc-v2", "ctr")),
            "containerd (2 minutes)",
        ),
        GoTool("kubeconform", ("github.com/yannh/kubeconform/cmd/kubeconform",), "kubeconform"),
        GoTool("kind", ("sigs.k8s.io/kind",), "kind"),
    )
}


def ensure(name: str) -> Path:
    """The folder with a tool's programs, built first if it is not there."""
    tool = TOOLS[name]
    with locked(f"tool-{name}"):
        if not all((tool.folder / program).exists() for program in tool.programs):
            _build(tool)
        _link(tool.folder)
    return tool.folder


def _need_go() -> None:
    if not shutil.which("go"):
        raise DevError(
            "go is needed to build the cluster's programs and is not on the PATH: install Go 1.26 or newer, https://go.dev/dl"
        )


def _build(tool: GoTool) -> None:
    _need_go()
    partial = tool.folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    flags = ["-trimpath", "-buildvcs=false", "-ldflags", " ".join(("-s", "-w", *tool.flags))]
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": ""}
    with step(f"building {tool.about}"):
        log = cache() / "logs" / f"{tool.name}.log"
        run(["go", "build", *flags, "-o", f"{partial}/", *tool.packages], log=log, cwd=tool.module, env=env)
    shutil.rmtree(tool.folder, ignore_errors=True)
    partial.rename(tool.folder)


def _link(folder: Path) -> None:
    """Put the newest build of each program under one name, for people and scripts."""
    shelf = cache() / "bin"
    shelf.mkdir(parents=True, exist_ok=True)
    for program in folder.iterdir():
        link = shelf / program.name
        if not link.is_symlink() or link.readlink() != program:
            fresh = link.with_name(f".{program.name}.{os.getpid()}")
            fresh.symlink_to(program)
            fresh.replace(link)


def program(name: str) -> Path:
    """One program: kubectl, helm, kind … built as pinned; the machine's own will do where nothing is to be built."""
    owners = [tool for tool in TOOLS.values() if name in tool.programs]
    if built := next((tool.folder / name for tool in owners if (tool.folder / name).exists()), None):
        return built
    if (engine_answers() or not shutil.which("go")) and (theirs := shutil.which(name)):
        return Path(theirs)
    return ensure(owners[-1].name) / name


def gateway_crds() -> list[Path]:
    """The Gateway API's CRDs of the standard channel, as dev/tools/gateway-api pins them."""
    _need_go()
    module = ROOT / "dev" / "tools" / "gateway-api"
    told = json.loads(run(["go", "mod", "download", "-json", "sigs.k8s.io/gateway-api"], cwd=module))
    folder = Path(told["Dir"]) / "config" / "crd" / "standard"
    return sorted(path for path in folder.glob("*.yaml") if "_vap_" not in path.name)  # that one is a policy


def etcd() -> Path:
    """Debian's etcd, or another on the PATH."""
    if not shutil.which("etcd"):
        install(CONTROL_PLANE_PACKAGES)
    return Path(shutil.which("etcd") or "/usr/bin/etcd")


def install(packages: tuple[str, ...]) -> None:
    """Install what is missing of some Debian packages; needs root and apt for that."""
    with locked("apt"):
        missing = [package for package in packages if not _installed(package)]
        if not missing:
            return
        names = " ".join(missing)
        if not shutil.which("apt-get"):
            raise DevError(f"these are needed, and apt-get is not here to bring them: {names}")
        if os.geteuid() != 0:
            raise DevError(f"run this once as root, then again: apt-get update && apt-get install -y {names}")
        log, env = cache() / "logs" / "apt.log", {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        with step(f"installing Debian packages: {names}"):
            run(["apt-get", "update"], log=log)
            run(["apt-get", "install", "-y", "--no-install-recommends", *missing], log=log, env=env)


def _installed(package: str) -> bool:
    asked = ["dpkg-query", "-W", "-f", "${Status}", package]
    try:
        return "ok installed" in subprocess.run(asked, check=False, capture_output=True, text=True).stdout
    except FileNotFoundError:
        return False


def sync() -> None:
    """The development environment, exactly as locked, on the machine's own Python."""
    command = [str(uv()), "sync", "--locked", "--quiet"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"}, check=True)


def uv() -> Path:
    """The package manager of the workspace, in an environment of its own in the cache."""
    home = cache() / f"uv-{UV_VERSION}"
    with locked("uv"):
        if not (home / "bin" / "uv").exists():
            with step("installing uv"):
                shutil.rmtree(home, ignore_errors=True)
                if not find_spec("ensurepip"):  # Debian's python3 comes without it
                    install(("python3-venv",))
                run([sys.executable, "-m", "venv", home])
                run([home / "bin" / "python", "-m", "pip", "install", "--quiet", f"uv=={UV_VERSION}"])
    return home / "bin" / "uv"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One builder at a time, over processes: two commands may need the same tool."""
    folder = cache() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
