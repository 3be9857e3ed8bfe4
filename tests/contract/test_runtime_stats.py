"""What a serving pod tells, the operator reads: the real runtime with a real model."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import joblib
import pytest
from mlneuron_operator.health import Sample, health_of
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def stats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = tmp_path_factory.mktemp("model") / "iris.joblib"
    joblib.dump(LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True)), model)
    http, metrics = free_port(), free_port()
    runtime = [str(Path(sys.executable).with_name("mlneuron-runtime")), "serve", str(model)]
    process = subprocess.Popen(
        [*runtime, "--port", str(http), "--metrics-port", str(metrics)], env=os.environ, stdout=subprocess.DEVNULL
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{http}/readyz", process)
        yield f"http://127.0.0.1:{metrics}/stats"
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(url, timeout=2):
            return
        time.sleep(0.05)  # between polls with a deadline
    pytest.fail(f"the runtime did not become ready (exit code {process.poll()})")


def test_a_pods_statistics_are_what_the_operator_reads(stats_url: str) -> None:
    with urllib.request.urlopen(stats_url, timeout=5) as answer:
        sample = Sample.parse(json.load(answer))
    assert sample.score == 100
    assert sample.framework == "sklearn"
    assert sample.digest is not None
    assert sample.version == sample.digest[:12]
    assert sample.started_at == pytest.approx(time.time(), abs=120)
    health = health_of([sample])
    assert health is not None
    assert health.status == "healthy"
