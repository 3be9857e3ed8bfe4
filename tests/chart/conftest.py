"""A real API server for what only one can say of the chart."""

from pathlib import Path

import pytest

from dev import tools
from dev.paths import ROOT
from tests.support.kube import Kube

from .helm import NAMESPACE

RESTRICTED = {"pod-security.kubernetes.io/warn": "restricted", "pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="session")
def server(control_plane: Path) -> Kube:
    """An API server with the CRD, and the namespaces that the releases name, under the restricted standard."""
    kube = Kube(tools.ensure("kubernetes") / "kubectl", control_plane)
    for name in (NAMESPACE, "ml", "ml-staging"):
        metadata = {"name": name, "labels": RESTRICTED}
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    kube.run("apply", "--server-side", "-f", str(ROOT / "crds"))
    kube.run("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    return kube
