"""Clusters for tests, started when a test asks for one and ended with the session."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev import controlplane, quickstart
from dev.cluster import DEFAULT_IMAGES, Cluster, choose, end, remember
from dev.paths import ROOT


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of a real API server with its controllers, no node; the CRDs are the test's to apply."""
    with controlplane.running(tmp_path_factory.mktemp("controlplane")) as kubeconfig:
        yield kubeconfig


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster of the tests' own with a real node and both images, beside the developer's.

    A live one is used again; MLNEURON_KEEP=1 leaves it running for the next session.
    """
    theirs = choose(ROOT / ".dev-test", "mlneuron-test")
    quickstart.prepare(theirs)
    remember(theirs)
    theirs.up()
    try:
        theirs.load(DEFAULT_IMAGES)
        yield theirs
    finally:
        if not os.environ.get("MLNEURON_KEEP"):
            end(theirs)


@pytest.fixture(scope="session")
def node(cluster: Cluster) -> Path:
    """The kubeconfig of that cluster."""
    return cluster.kubeconfig
