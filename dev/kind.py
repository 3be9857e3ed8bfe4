"""A cluster in Docker, where an engine answers."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from dev import tools
from dev.cluster import Cluster
from dev.docker import docker
from dev.errors import DevError
from dev.images import Image
from dev.images import ensure as ensure_image
from dev.paths import ROOT
from dev.process import run
from dev.progress import say, step


@dataclass(frozen=True)
class Kind(Cluster):
    """`kind` with kind-config.yaml."""

    def up(self) -> None:
        """Keep one whose nodes are Ready, else make it anew."""
        if self.name in self._kind("get", "clusters").split():
            self._kind("export", "kubeconfig", f"--kubeconfig={self.kubeconfig}", f"--name={self.name}")
            with suppress(DevError):
                self.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=30s")
                return
            say("  .. the cluster is half-dead: building it anew")
            self.down()
        with step("creating the cluster with kind"):
            config = ("--config", str(ROOT / "kind-config.yaml"), f"--kubeconfig={self.kubeconfig}")
            self._kind("create", "cluster", f"--name={self.name}", *config, "--wait=180s")

    def down(self) -> None:
        """Delete the cluster's containers and its kubeconfig."""
        self._kind("delete", "cluster", f"--name={self.name}", f"--kubeconfig={self.kubeconfig}")
        self.kubeconfig.unlink(missing_ok=True)

    def load(self, images: Iterable[Image]) -> None:
        """Build with Docker, whose cache knows what changed, and load what the nodes lack."""
        for image in images:
            ensure_image(image)
            with step(f"loading {image.alias} into kind"):
                self._kind("load", "docker-image", image.reference, image.alias, f"--name={self.name}")

    def _kind(self, *arguments: str) -> str:
        docker("version")
        return run([tools.program("kind"), *arguments])
