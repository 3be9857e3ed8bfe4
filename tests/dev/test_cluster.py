"""Which way of making a cluster is taken."""

from pathlib import Path

import pytest

from dev import cluster
from dev.cluster import Current, choose, remember
from dev.errors import DevError
from dev.images import RUNTIME
from dev.kind import Kind
from dev.node import Node


@pytest.fixture(autouse=True)
def _unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLUSTER", raising=False)


def test_docker_comes_first_where_an_engine_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "engine_answers", lambda: True)
    assert isinstance(choose(tmp_path), Kind)


def test_root_on_debian_gets_the_bare_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "engine_answers", lambda: False)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/apt-get")
    assert isinstance(choose(tmp_path), Node)


def test_others_are_told_the_three_ways_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "engine_answers", lambda: False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(DevError, match=r"(?s)Docker.*root.*CLUSTER=current"):
        choose(tmp_path)


def test_a_cluster_is_ended_the_way_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "engine_answers", lambda: True)
    remember(Current(tmp_path, "mlneuron"))
    assert isinstance(choose(tmp_path), Current)


def test_an_unknown_choice_is_refused_with_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER", "minikube")
    with pytest.raises(DevError, match="current, kind or node"):
        choose(tmp_path)


def test_another_ones_cluster_needs_images_it_can_pull(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLNEURON_RUNTIME_IMAGE", raising=False)
    with pytest.raises(DevError, match="MLNEURON_RUNTIME_IMAGE=REGISTRY"):
        Current(tmp_path, "mlneuron").load([RUNTIME])
    monkeypatch.setenv("MLNEURON_RUNTIME_IMAGE", "registry.example/mlneuron-runtime:1")
    assert Current(tmp_path, "mlneuron").image(RUNTIME) == "registry.example/mlneuron-runtime:1"
