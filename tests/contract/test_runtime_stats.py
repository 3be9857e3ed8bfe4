"""What a serving pod tells, the operator reads: the real runtime with a real model."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import joblib
import pytest
import yaml
from mlneuron_operator.api.neuron import MLNeuron
from mlneuron_operator.desired.config import config_map
from mlneuron_operator.desired.source import PREPARED_FOLDER
from mlneuron_operator.health import Sample, health_of
from mlneuron_operator.rollout.evidence import BOUNDS, Counts
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from dev.ports import free_ports
from tests.support.kube import eventually

OBJECTS = yaml.safe_load_all((Path(__file__).parents[1] / "operator/desired/output/minimal.yaml").read_text())
PROBES = [
    probe
    for obj in OBJECTS
    if obj["kind"] == "Deployment"
    for name, probe in obj["spec"]["template"]["spec"]["containers"][0].items()
    if name.endswith("Probe")
]


@pytest.fixture(scope="module")
def stats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a runtime that went a pod's way by the operator's own configuration: fetch, then serve by two processes."""
    folder = tmp_path_factory.mktemp("pod")
    joblib.dump(LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True)), folder / "iris.joblib")
    (folder / "config.json").write_text(configuration(folder))
    runtime = str(Path(sys.executable).with_name("mlneuron-runtime"))
    config = ("--config", str(folder / "config.json"))
    subprocess.run([runtime, "fetch", *config], check=True, timeout=120, stdout=subprocess.DEVNULL)
    http, grpc, metrics = map(str, free_ports(3))
    ports = ("--host", "127.0.0.1", "--port", http, "--grpc-port", grpc, "--metrics-port", metrics)
    process = subprocess.Popen([runtime, "serve", *config, *ports], stdout=subprocess.DEVNULL)
    try:
        wait_until_ready(f"http://127.0.0.1:{metrics}/readyz", process)
        yield f"http://127.0.0.1:{metrics}/stats"
    finally:
        process.terminate()
        process.wait(60)


def configuration(folder: Path) -> str:
    """What the operator writes, with the one folder that is a volume of the pod here."""
    spec = {"model": {"uri": (folder / "iris.joblib").as_uri()}, "serving": {"workers": 2}}
    metadata = {"name": "iris", "namespace": "ml", "uid": "u"}
    text: str = config_map(MLNeuron.parse({"metadata": metadata, "spec": spec}))["data"]["config.json"]
    return text.replace(PREPARED_FOLDER, str(folder / "prepared"))


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    eventually("the runtime is ready", lambda: process.poll() is not None or answers(url), 60)
    assert process.poll() is None, "the runtime ended"


def answers(url: str) -> bool:
    with suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(url, timeout=2):
        return True
    return False


def test_a_pods_statistics_are_what_the_operator_reads(stats_url: str) -> None:
    with urllib.request.urlopen(stats_url, timeout=5) as answer:
        stats = json.load(answer)
    sample = Sample.parse(stats)
    assert stats["p95Ms"] is None, "no request was timed yet"
    assert sample.score == 100
    assert sample.framework == "sklearn"
    assert sample.engine not in {None, "sklearn"}, "the prepared engine serves"
    assert sample.engine_reason is not None
    assert sample.warnings == ()
    assert sample.digest is not None
    assert sample.version == sample.digest[:12]
    assert sample.started_at == pytest.approx(time.time(), abs=120)
    health = health_of([sample])
    assert health is not None
    assert health.status == "healthy"


def test_what_a_pod_counts_for_each_model_is_what_a_rollout_reads(stats_url: str) -> None:
    with urllib.request.urlopen(stats_url, timeout=5) as answer:
        told = json.load(answer)
    sample = Sample.parse(told)
    assert (sample.traffic_revision, sample.traffic_problem) == (None, None)
    assert told["traffic"]["bounds"] == pytest.approx(BOUNDS, abs=1e-8)
    assert Counts.told(sample.counters["primary"]) == Counts()


@pytest.mark.parametrize("path", sorted({probe["httpGet"]["path"] for probe in PROBES}))
def test_what_the_kubelet_asks_is_answered_where_it_asks(stats_url: str, path: str) -> None:
    with urllib.request.urlopen(stats_url.replace("/stats", path), timeout=5) as answer:
        assert answer.status == 200
