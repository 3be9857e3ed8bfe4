"""One control plane for all integration tests: real etcd, API server and controllers, no node."""

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from dev import tools
from tests.support.kube import Kube
from tests.support.operator_process import OperatorProcess, operator

ROOT = Path(__file__).parents[2]


class Start(Protocol):
    """Starts an operator of the test's own."""

    def __call__(self, **env: str) -> AbstractContextManager[OperatorProcess]: ...


@pytest.fixture(scope="session")
def kube(control_plane: Path) -> Kube:
    """The control plane with the CRDs and the operator's namespace."""
    kube = Kube(tools.ensure("kubernetes") / "kubectl", control_plane)
    kube.run("apply", "--server-side", "--validate=strict", "-f", str(ROOT / "crds"))
    kube.run("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mlneuron-system"}})
    return kube


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def space(kube: Kube, _numbers: Iterator[int]) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"test-{next(_numbers)}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    kube.run("delete", "modelvariants,mlneurons", "--all", "-n", name)
    kube.run("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def running(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """An operator for all tests of a module."""
    with operator(kube.kubeconfig, tmp_path_factory.mktemp("operator") / "log") as process:
        process.wait_until_leading()
        yield process


@pytest.fixture
def start(kube: Kube, tmp_path: Path) -> Start:
    """Start operators of the test's own."""

    def begin(**env: str) -> AbstractContextManager[OperatorProcess]:
        return operator(kube.kubeconfig, tmp_path / "log", **env)

    return begin
