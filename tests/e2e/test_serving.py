"""An applied neuron on a real node: it serves, scales, rolls, heals and goes."""

from datetime import datetime
from typing import Any

import pytest

from dev import quickstart
from tests.e2e.conftest import SPACE, Lab
from tests.e2e.http import Load
from tests.support.core_process import CoreProcess
from tests.support.kube import eventually

pytestmark = pytest.mark.e2e

SETOSA = [5.1, 3.5, 1.4, 0.2]
OURS = "app.kubernetes.io/managed-by=mlneuron-operator"


def test_an_applied_neuron_serves_and_says_so(lab: Lab, federation: CoreProcess | None) -> None:
    lab.neuron("iris")
    status = lab.ready("iris")["status"]
    answer = lab.predict("iris", SETOSA)
    assert answer.status == 200
    assert answer.body["prediction"] == 0
    assert answer.body["confidence"] > 0.9
    assert answer.body["model_version"] == "1.0.0"
    eventually("health is told", lambda: lab.get("iris")["status"].get("health", {}).get("score") == 100)
    status = lab.get("iris")["status"]
    assert status["model"]["digest"] == lab.digests["iris.joblib"]
    assert status["traffic"] == [{"variant": "primary", "percent": 100}]
    if federation:
        eventually("registered", lambda: reported(lab) == "Registered", 60)
        row = eventually("active at the core", lambda: active(federation))
        assert row["registration"]["name"] == "iris"
    header, row_text = lab.kube.run("get", "mlneurons", "iris", "-n", SPACE).stdout.splitlines()
    told = dict(zip(header.split(), row_text.split(), strict=True))
    assert told["READY"] == "True"
    assert told["REASON"] == "Serving"
    assert told["REPLICAS"] == "1/1"
    assert told["VERSION"] == "1.0.0"
    assert told["HEALTH"] == "100"
    assert told["TRAFFIC"] == "primary=100"


def reported(lab: Lab) -> str | None:
    condition = lab.kube.condition("iris", SPACE, "FederationReady")
    return condition["reason"] if condition else None


def active(core: CoreProcess) -> dict[str, Any] | None:
    row = core.row(f"{SPACE}.iris")
    return row if row and row["status"] == "active" else None


def test_a_model_is_fetched_over_http_and_checked(lab: Lab) -> None:
    lab.neuron("boosted", "http://store/iris.ubj", model={"sha256": lab.digests["iris.ubj"]})
    status = lab.ready("boosted")["status"]
    answer = lab.predict("boosted", SETOSA)
    assert answer.status == 200, answer
    assert answer.body["prediction"] == 0
    assert status["model"]["framework"] == "xgboost"
    lab.delete("boosted")


def test_a_wrong_request_is_told_what_is_wrong(lab: Lab) -> None:
    lab.neuron("iris")
    lab.ready("iris")
    answer = lab.predict("iris", [1.0, 2.0])
    assert answer.status in {400, 422}
    assert "features" in str(answer.body["error"])
    assert "4" in str(answer.body["error"])


def test_kubectl_scale_makes_more_pods(lab: Lab) -> None:
    lab.neuron("iris")
    lab.ready("iris")
    lab.kube.run("scale", "mlneuron", "iris", "-n", SPACE, "--replicas=2")
    eventually("two ready pods", lambda: lab.get("iris")["status"]["summary"]["replicas"] == "2/2", 60)
    assert lab.kube.get("poddisruptionbudget", "iris", SPACE) is not None
    lab.settled("iris")
    lab.kube.run("scale", "mlneuron", "iris", "-n", SPACE, "--replicas=1")
    eventually("one pod", lambda: lab.get("iris")["status"]["summary"]["replicas"] == "1/1", 60)


def test_a_rolling_update_under_load_loses_no_request(lab: Lab) -> None:
    lab.neuron("rolling", replicas=2)
    lab.ready("rolling")
    lab.settled("rolling")
    before = {pod["metadata"]["name"] for pod in lab.pods("rolling")}
    with quickstart.reach(lab.cluster, "rolling", SPACE) as (url, _), Load(url) as load:
        eventually("the load flows", lambda: load.answers["200"] > 100)
        lab.kube.patch("mlneuron", "rolling", SPACE, {"spec": {"batching": {"maxSize": 8}}})
        eventually(
            "all pods are new", lambda: not before & {pod["metadata"]["name"] for pod in lab.pods("rolling")}, 120
        )
        lab.settled("rolling")
        eventually("the old pods are gone", lambda: len(all_pods(lab, "rolling")) == 2, 60)
        count = load.answers["200"]
        eventually("the load still flows", lambda: load.answers["200"] > count + 100)
    assert load.failures == {}
    lab.delete("rolling")


def all_pods(lab: Lab, name: str) -> list[object]:
    return list(lab.kube.items("pods", SPACE, f"ml.findawise.io/neuron={name}"))


def test_a_deleted_deployment_is_back_within_ten_seconds(lab: Lab) -> None:
    lab.neuron("iris")
    lab.ready("iris")
    uid = deployment(lab)
    lab.kube.delete("deployment", "iris", SPACE)
    eventually("a new deployment", lambda: deployment(lab) not in (None, uid), 10)
    eventually("it serves", lambda: lab.get("iris")["status"]["readyReplicas"] == 1, 60)
    lab.settled("iris")
    assert lab.predict("iris", SETOSA).status == 200


def deployment(lab: Lab) -> str | None:
    found = lab.kube.get("deployment", "iris", SPACE)
    return found["metadata"]["uid"] if found else None


def test_a_wrong_digest_is_told_while_the_old_pods_serve_and_mended_by_the_user(lab: Lab) -> None:
    lab.neuron("iris")
    lab.ready("iris")
    lab.settled("iris")
    lab.neuron("iris", model={"sha256": "0" * 64})
    message = lab.stalled("iris", "ModelDigestMismatch")
    assert "spec.model.sha256" in message
    assert lab.digests["iris.joblib"][:8] in message
    assert lab.kube.condition("iris", SPACE, "Ready")["status"] == "True"  # type: ignore[index]
    assert lab.predict("iris", SETOSA).status == 200
    assert told_within_seconds(lab) <= 15
    assert "ModelDigestMismatch" in lab.kube.run("get", "mlneuron", "iris", "-n", SPACE).stdout
    assert "ModelDigestMismatch" in lab.kube.run("describe", "mlneuron", "iris", "-n", SPACE).stdout
    lab.neuron("iris", model={"sha256": lab.digests["iris.joblib"]})
    lab.settled("iris")


def told_within_seconds(lab: Lab) -> float:
    """From the kubelet's word that the container ended to the condition."""
    ended = []
    for pod in lab.pods("iris"):
        status = pod["status"]
        for container in (*status.get("initContainerStatuses", ()), *status["containerStatuses"]):
            for state in (container.get("state", {}), container.get("lastState", {})):
                if state.get("terminated", {}).get("exitCode"):
                    ended.append(datetime.fromisoformat(state["terminated"]["startedAt"]))
    stalled = lab.kube.condition("iris", SPACE, "Stalled")
    assert stalled is not None
    assert ended
    return (datetime.fromisoformat(stalled["lastTransitionTime"]) - min(ended)).total_seconds()


def test_deleting_a_neuron_leaves_nothing_and_says_goodbye(lab: Lab, federation: CoreProcess | None) -> None:
    lab.neuron("iris", replicas=2)
    lab.ready("iris")
    if federation:
        eventually("registered", lambda: reported(lab) == "Registered", 60)
    lab.delete("iris")
    kinds = "deployments,replicasets,pods,services,configmaps,serviceaccounts,poddisruptionbudgets"
    selector = f"{OURS},ml.findawise.io/neuron=iris"
    eventually("nothing left", lambda: not lab.kube.items(kinds, SPACE, selector), 90)
    if federation:
        eventually("goodbye", lambda: (federation.row(f"{SPACE}.iris") or {}).get("status") == "inactive", 30)
