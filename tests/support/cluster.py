"""Clusters for tests, started when a test asks for one and ended with the session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev import controlplane


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of a real API server with its controllers, no node; the CRDs are the test's to apply."""
    with controlplane.running(tmp_path_factory.mktemp("controlplane")) as kubeconfig:
        yield kubeconfig
