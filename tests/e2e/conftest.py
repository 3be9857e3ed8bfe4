"""A real node with the real images, the real chart, models on a claim, and a (fake) federation core beside it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from dev import quickstart, tools
from dev.cluster import Cluster
from dev.images import RUNTIME
from dev.node import Node
from dev.ports import free_ports
from tests.e2e.http import Answer, post
from tests.support.core_process import CoreProcess, core
from tests.support.kube import Kube, eventually

SPACE = "e2e"
MISSING_IMAGE = "localhost/mlneuron-runtime:missing"


@pytest.fixture(scope="session")
def federation(cluster: Cluster) -> Iterator[CoreProcess | None]:
    """A core that the cluster's pods can reach; only where this machine has an address in their network."""
    if not isinstance(cluster, Node):
        yield None
        return
    with core(cluster.outside, free_ports(1)[0]) as running:
        yield running


class Install(Protocol):
    """Installs the chart anew, with further values."""

    def __call__(self, *values: str) -> None: ...


@pytest.fixture(scope="session")
def install(cluster: Cluster, federation: CoreProcess | None) -> Install:
    """The chart, reporting to the core; its GPU image does not exist, unless a test names one that does."""
    url = federation.url if federation else ""

    def chart(*values: str) -> None:
        defaults = (f"federation.url={url}", f"runtime.images.gpu={MISSING_IMAGE}")
        quickstart.install_operator(cluster, *defaults, *values)

    return chart


@pytest.fixture(scope="session")
def kube(cluster: Cluster, install: Install) -> Kube:
    """The cluster with the operator installed."""
    install()
    return Kube(tools.ensure("kubernetes") / "kubectl", cluster.kubeconfig)


@dataclass(frozen=True)
class Lab:
    """A namespace under the restricted Pod Security Standard with trained models, for neurons to be tried in."""

    kube: Kube
    cluster: Cluster
    digests: dict[str, str]

    def neuron(self, name: str, uri: str = "pvc://models/iris.joblib", **spec: Any) -> None:
        """Apply a neuron."""
        model = {"uri": uri, "version": "1.0.0", **spec.pop("model", {})}
        resources = {"requests": {"cpu": "20m", "memory": "128Mi"}}
        self.kube.apply(
            {
                "apiVersion": "ml.findawise.io/v1alpha1",
                "kind": "MLNeuron",
                "metadata": {"name": name, "namespace": SPACE},
                "spec": {"resources": resources, "model": model, **spec},
            }
        )

    def ready(self, name: str, seconds: int = 90) -> dict[str, Any]:
        """Wait for the condition as a user would; the neuron."""
        waited = self.kube.run(
            *("wait", f"mlneuron/{name}", "-n", SPACE, "--for=condition=Ready", f"--timeout={seconds}s"), check=False
        )
        if waited.returncode:
            pytest.fail(f"{name} is not ready: {self.kube.run('describe', 'mlneuron', name, '-n', SPACE).stdout}")
        return self.get(name)

    def get(self, name: str) -> dict[str, Any]:
        """The neuron."""
        found = self.kube.get("mlneuron", name, SPACE)
        assert found is not None
        return found

    def stalled(self, name: str, reason: str, seconds: float = 90) -> str:
        """Wait until it is stalled for this reason; the message."""

        def look() -> str | None:
            condition = self.kube.condition(name, SPACE, "Stalled")
            return condition["message"] if condition and condition["reason"] == reason else None

        return eventually(f"{name} is stalled by {reason}", look, seconds)

    def settled(self, name: str, seconds: float = 120) -> None:
        """Wait until nothing is left to do for it."""

        def look() -> bool:
            told = {item["type"]: item for item in self.get(name)["status"]["conditions"]}
            current = told["Ready"]["observedGeneration"] == self.get(name)["metadata"]["generation"]
            return current and told["Ready"]["status"] == "True" and not {"Reconciling", "Stalled"} & set(told)

        eventually(f"{name} is settled", look, seconds)

    def pods(self, name: str) -> list[dict[str, Any]]:
        """Its pods that are not on their way out."""
        pods = self.kube.items("pods", SPACE, f"ml.findawise.io/neuron={name}")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def predict(self, name: str, features: list[float]) -> Answer:
        """One prediction through the neuron's Service."""
        with quickstart.reach(self.cluster, name, SPACE) as (url, _):
            return post(f"{url}/predict", {"features": features})

    def delete(self, name: str) -> None:
        """Delete it."""
        self.kube.delete("mlneuron", name, SPACE)


@pytest.fixture(scope="session")
def lab(kube: Kube, cluster: Cluster) -> Iterator[Lab]:
    """The namespace, its models trained by a Job."""
    remove(kube)  # what an interrupted run may have left
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "labels": restricted}})
    manifest = (Path(__file__).parent / "models.yaml").read_text().replace("IMAGE", cluster.image(RUNTIME))
    kube.run("apply", "-n", SPACE, "-f", "-", stdin=manifest)
    kube.run("wait", "-n", SPACE, "--for=condition=Complete", "job/train", "--timeout=110s")
    kube.run("wait", "-n", SPACE, "--for=condition=Ready", "pod/store", "--timeout=110s")
    digests = json.loads(kube.run("logs", "-n", SPACE, "job/train").stdout.splitlines()[-1])
    yield Lab(kube, cluster, digests)
    remove(kube)


def remove(kube: Kube) -> None:
    """End the namespace, its neurons first, so that the core is told goodbye."""
    kube.run("delete", "modelvariants,mlneurons", "--all", "-n", SPACE)
    kube.run("delete", "namespace", SPACE, "--ignore-not-found", "--timeout=100s")
