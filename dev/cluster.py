"""What every cluster offers, whichever way it runs, and which way is taken."""

import json
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dev import tools
from dev.docker import engine_answers
from dev.errors import DevError
from dev.images import OPERATOR, RUNTIME, Image
from dev.process import run


@dataclass(frozen=True)
class Cluster:
    """A cluster whose kubeconfig lies in a state folder. `name` tells clusters of one machine apart."""

    state: Path
    name: str

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def direct(self) -> bool:
        """Whether Service addresses can be reached from this machine."""
        return False

    def up(self) -> None:
        """Make sure that it runs."""
        raise NotImplementedError

    def down(self) -> None:
        """End it and leave nothing behind."""
        raise NotImplementedError

    def load(self, images: Iterable[Image]) -> None:
        """Build the images whose inputs changed and bring them into the cluster."""
        raise NotImplementedError

    def image(self, image: Image) -> str:
        """The name under which pods of this cluster find an image."""
        return image.reference

    def status(self) -> str:
        """One line for a person."""
        try:
            nodes = self.kubectl("get", "nodes", "--request-timeout=5s", "--no-headers").split("\n")[0]
        except DevError:
            return f"{type(self).__name__} under {self.state}: not running"
        return f"{type(self).__name__} under {self.state}: {nodes}"

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl as the administrator; `text` is its standard input."""
        return run([tools.program("kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments], text=text)

    def helm(self, *arguments: str) -> str:
        """Run helm as the administrator."""
        return run([tools.program("helm"), f"--kubeconfig={self.kubeconfig}", *arguments])

    def advertise_gpus(self, count: int) -> None:
        """Claim GPUs that are not there: pods that request them are scheduled and run."""
        patch = json.dumps([{"op": "add", "path": "/status/capacity/nvidia.com~1gpu", "value": str(count)}])
        for node in self.kubectl("get", "nodes", "-o", "name").split():
            self.kubectl("patch", node, "--subresource=status", "--type=json", "-p", patch)


@dataclass(frozen=True)
class Current(Cluster):
    """The cluster of the current kubectl context: used, never made or ended."""

    def up(self) -> None:
        """Keep a kubeconfig of this context alone, so that a later switch of contexts changes nothing here."""
        config = run([tools.program("kubectl"), "config", "view", "--minify", "--flatten", "--raw"])
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(config)
        self.kubectl("version")

    def down(self) -> None:
        """Remove what the quickstart made there; the neurons' definition (CRD) is kept."""
        if self.kubeconfig.exists():
            self.kubectl("delete", "--ignore-not-found", "-f", "examples/iris")
            self.helm("uninstall", "mlneuron-operator", "-n", "mlneuron-system", "--ignore-not-found")
            self.kubeconfig.unlink()

    def load(self, images: Iterable[Image]) -> None:
        """Nothing to do: the cluster pulls the images that the environment names."""
        for image in images:
            self.image(image)

    def image(self, image: Image) -> str:
        """An image of a registry that the cluster pulls from."""
        variable = f"MLNEURON_{image.member.upper()}_IMAGE"
        if not (name := os.environ.get(variable)):
            raise DevError(
                f"CLUSTER=current: build {image.member}/Dockerfile, push it where the cluster pulls from, and name it: "
                f"{variable}=REGISTRY/mlneuron-{image.member}:TAG"
            )
        return name


def choose(state: Path, name: str = "mlneuron") -> Cluster:
    """What made the state folder; else the current context if asked for, else kind, else the bare node."""
    from dev.kind import Kind  # both import this module
    from dev.node import Node

    state.mkdir(parents=True, exist_ok=True)
    recorded = state / "cluster"
    asked = os.environ.get("CLUSTER") or (recorded.read_text() if recorded.exists() else "")
    if asked not in ("", "current", "kind", "node"):
        raise DevError(f"CLUSTER={asked}: it can be current, kind or node, or not set")
    if asked == "current":
        return Current(state, name)
    if asked == "kind" or (not asked and engine_answers()):
        return Kind(state, name)
    if sys.platform == "linux" and os.geteuid() == 0 and shutil.which("apt-get"):
        return Node(state, name)
    raise DevError(
        "A cluster can be made here in one of three ways:\n"
        "  Docker: start a Docker engine that `docker version` reaches, then `make up`\n"
        "  root:   on Debian Linux, as root: `sudo make up` runs a node without Docker\n"
        "  yours:  `make up CLUSTER=current` uses the cluster of the current kubectl context"
    )


def remember(cluster: Cluster) -> None:
    """Let later commands, `down` above all, take the same way as this one."""
    (cluster.state / "cluster").write_text(type(cluster).__name__.lower())


def end(cluster: Cluster) -> None:
    """End it and forget which way it was made."""
    cluster.down()
    (cluster.state / "cluster").unlink(missing_ok=True)


DEFAULT_IMAGES = (OPERATOR, RUNTIME)
