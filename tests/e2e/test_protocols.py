"""What a neuron's pods serve beside plain predictions: gRPC, several processes, faster engines, tokens."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from tritonclient import grpc

from dev import quickstart
from tests.e2e.conftest import SPACE, Lab
from tests.e2e.http import Answer, post
from tests.support.kube import eventually

pytestmark = pytest.mark.e2e

SETOSA = [5.1, 3.5, 1.4, 0.2]


def stats(lab: Lab, name: str) -> dict[str, Any]:
    """What its first pod tells."""
    pod = lab.pods(name)[0]["metadata"]["name"]
    path = f"/api/v1/namespaces/{SPACE}/pods/{pod}:9090/proxy/stats"
    told: dict[str, Any] = json.loads(lab.kube.run("get", "--raw", path).stdout)
    return told


def test_grpc_is_answered_through_the_service(lab: Lab) -> None:
    lab.neuron("iris")
    lab.ready("iris")
    with quickstart.reach(lab.cluster, "iris", SPACE, 8081) as (url, _):
        client = grpc.InferenceServerClient(url.removeprefix("http://"))
        assert client.is_server_ready()
        metadata = client.get_model_metadata("iris")
        (asked,) = metadata.inputs
        rows = np.array([SETOSA])
        value = grpc.InferInput(asked.name, list(rows.shape), asked.datatype)
        value.set_data_from_numpy(rows.astype(np.float64 if asked.datatype == "FP64" else np.float32))
        answer = client.infer("iris", [value])
        assert answer.as_numpy(metadata.outputs[0].name)[0] == 0
        client.close()
    assert lab.predict("iris", SETOSA).body["prediction"] == 0


def test_without_grpc_the_service_has_no_port_for_it(lab: Lab) -> None:
    lab.neuron("plain", serving={"grpc": False})
    lab.ready("plain")
    service = lab.kube.get("service", "plain", SPACE)
    assert service is not None
    assert [port["name"] for port in service["spec"]["ports"]] == ["http", "metrics"]
    assert lab.predict("plain", SETOSA).status == 200
    lab.delete("plain")


def test_an_accelerated_model_is_told_and_answers_as_the_original(lab: Lab) -> None:
    lab.neuron("quick")
    lab.neuron("slow", model={"acceleration": "Off"})
    lab.ready("quick")
    lab.ready("slow")
    eventually("what runs it", lambda: engine(lab, "quick") not in {None, "sklearn"})
    eventually("what runs the other", lambda: engine(lab, "slow") == "sklearn")
    quick, slow = (lab.predict(name, SETOSA).body for name in ("quick", "slow"))
    assert quick["prediction"] == slow["prediction"]
    assert quick["confidence"] == pytest.approx(slow["confidence"], abs=1e-5)
    lab.delete("quick")
    lab.delete("slow")


def engine(lab: Lab, name: str) -> str | None:
    found: str | None = lab.get(name)["status"]["model"].get("engine")
    return found


def test_two_processes_serve_as_one_pod(lab: Lab) -> None:
    lab.neuron("pair", serving={"workers": 2})
    lab.ready("pair")
    for _ in range(20):
        assert lab.predict("pair", SETOSA).status == 200
    assert stats(lab, "pair")["successes"] == 20
    lab.delete("pair")


@contextmanager
def guarded(lab: Lab, tokens: str) -> Iterator[str]:
    metadata = {"name": "callers", "namespace": SPACE}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"tokens": tokens}}
    lab.kube.apply(secret)
    lab.neuron("guarded", serving={"auth": {"secretName": "callers"}})
    lab.ready("guarded")
    with quickstart.reach(lab.cluster, "guarded", SPACE) as (url, _):
        yield f"{url}/predict"
    lab.delete("guarded")


def with_token(url: str, token: str) -> int:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, json.dumps({"features": SETOSA}).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        status: int = response.status
        return status


def test_only_who_shows_a_token_is_answered(lab: Lab) -> None:
    with guarded(lab, "first\nsecond\n") as url:
        refused: Answer = post(url, {"features": SETOSA})
        assert refused.status == 401
        assert with_token(url, "second") == 200


def test_a_secret_of_tokens_that_is_missing_is_told(lab: Lab) -> None:
    lab.neuron("tokenless", serving={"auth": {"secretName": "nowhere"}})
    eventually("the Secret is named", lambda: "Secret nowhere of spec.serving.auth" in told(lab, "tokenless"), 60)
    lab.delete("tokenless")


def told(lab: Lab, name: str) -> str:
    condition = lab.kube.condition(name, SPACE, "Ready")
    return str(condition["message"]) if condition else ""
