"""The operator against a real API server and real controllers: what it makes, mends, leaves alone and removes."""

import json

import pytest

from tests.integration.neurons import AUTOSCALED, CHILDREN, COLUMNS, EVERYTHING, OURS, neuron
from tests.support.kube import Kube, Object, eventually
from tests.support.operator_process import OperatorProcess

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("running")]


def kinds(kube: Kube, space: str) -> set[str]:
    return {item["kind"] for item in kube.items(CHILDREN, space, OURS)}


def found(kube: Kube, kind: str, name: str, space: str) -> Object:
    return eventually(f"{kind} {name}", lambda: kube.get(kind, name, space))


def test_a_neuron_becomes_its_children_and_a_status(kube: Kube, space: str) -> None:
    kube.apply(neuron("churn", space, **EVERYTHING))
    wanted = {
        *("ServiceAccount", "ConfigMap", "Service", "Deployment"),
        *("PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress"),
    }
    eventually("every child", lambda: kinds(kube, space) == wanted)
    status = eventually("a status", lambda: found(kube, "mlneuron", "churn", space).get("status"))
    assert status["observedGeneration"] == 1
    conditions = {item["type"]: item["status"] for item in status["conditions"]}
    assert conditions["Ready"] == "Unknown"
    assert conditions["Reconciling"] == "True"
    row = kube.run("get", "mlneurons", "-n", space).stdout.splitlines()
    assert row[0].split() == COLUMNS
    assert row[1].split()[:5] == ["churn", "Unknown", "Creating", "0/2", "1.0.0"]


@pytest.mark.parametrize("kind", ["deployment", "service", "poddisruptionbudget"])
def test_a_deleted_child_is_back(kube: Kube, space: str, kind: str) -> None:
    kube.apply(neuron("churn", space, replicas=2))
    before = found(kube, kind, "churn", space)["metadata"]["uid"]
    kube.delete(kind, "churn", space)
    eventually(f"a new {kind}", lambda: uid(kube, kind, space) not in (None, before), 10)


def uid(kube: Kube, kind: str, space: str) -> str | None:
    obj = kube.get(kind, "churn", space)
    return obj["metadata"]["uid"] if obj else None


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("service", "/spec/ports/0/port", 81),
        ("service", "/spec/selector/ml.findawise.io~1neuron", "other"),
        ("deployment", "/spec/replicas", 7),
        ("deployment", "/spec/template/spec/containers/0/image", "evil:1"),
        ("deployment", "/metadata/labels/ml.findawise.io~1neuron", "other"),
        ("service", "/metadata/labels/app.kubernetes.io~1managed-by", "me"),
    ],
)
def test_a_child_edited_by_hand_is_as_desired_again(
    kube: Kube, space: str, kind: str, path: str, value: object
) -> None:
    kube.apply(neuron("churn", space))
    before = at(found(kube, kind, "churn", space), path)
    kube.patch(kind, "churn", space, [{"op": "replace", "path": path, "value": value}])
    eventually(f"{path} mended", lambda: at(found(kube, kind, "churn", space), path) == before, 10)


def at(obj: object, path: str) -> object:
    for part in path.strip("/").split("/"):
        key = part.replace("~1", "/")
        obj = obj[int(key)] if isinstance(obj, list) else obj[key]  # type: ignore[index]
    return obj


def replicas(kube: Kube, space: str) -> int:
    return int(found(kube, "deployment", "churn", space)["spec"]["replicas"])


def test_kubectl_scale_scales_it(kube: Kube, space: str) -> None:
    kube.apply(neuron("churn", space))
    found(kube, "deployment", "churn", space)
    kube.run("scale", "mlneuron", "churn", "-n", space, "--replicas=3")
    eventually("three replicas", lambda: replicas(kube, space) == 3)
    eventually("told in the status", lambda: column(kube, space, "REPLICAS") == "0/3")


def column(kube: Kube, space: str, name: str) -> str:
    header, row = (line.split() for line in kube.run("get", "mlneurons", "-n", space).stdout.splitlines())
    return row[header.index(name)]


def test_what_an_autoscaler_sets_is_left_alone(kube: Kube, space: str, running: OperatorProcess) -> None:
    kube.apply(neuron("churn", space, **AUTOSCALED))
    eventually("the fewest replicas", lambda: replicas(kube, space) == 2)
    kube.run("scale", "deployment", "churn", "-n", space, "--replicas=5")
    kube.patch("mlneuron", "churn", space, {"spec": {"batching": {"maxSize": 8}}})
    eventually("the change is rolled out", lambda: max_size(kube, space) == 8)
    eventually("the operator is idle", running.settled)
    assert replicas(kube, space) == 5


def max_size(kube: Kube, space: str) -> int:
    volumes = found(kube, "deployment", "churn", space)["spec"]["template"]["spec"]["volumes"]
    config = found(kube, "configmap", volumes[0]["configMap"]["name"], space)
    return int(json.loads(config["data"]["config.json"])["batching"]["maxSize"])


def test_handing_the_replicas_to_an_autoscaler_does_not_reset_them(kube: Kube, space: str) -> None:
    kube.apply(neuron("churn", space, replicas=4, resources=AUTOSCALED["resources"]))
    eventually("four replicas", lambda: replicas(kube, space) == 4)
    kube.apply(neuron("churn", space, replicas=4, **AUTOSCALED))
    found(kube, "horizontalpodautoscaler", "churn", space)
    assert replicas(kube, space) == 4


def test_what_is_no_longer_asked_for_is_pruned(kube: Kube, space: str) -> None:
    kube.apply(neuron("churn", space, **EVERYTHING))
    eventually("an ingress", lambda: {"Ingress", "HorizontalPodAutoscaler"} <= kinds(kube, space))
    kube.apply(neuron("churn", space, replicas=1))
    left = {"ServiceAccount", "ConfigMap", "Service", "Deployment"}
    eventually("only what is asked for", lambda: kinds(kube, space) == left)
    eventually("one replica", lambda: replicas(kube, space) == 1)


def test_an_old_configuration_stays_while_a_pod_was_made_with_it(kube: Kube, space: str) -> None:
    kube.apply(neuron("churn", space))
    eventually("a pod", lambda: kube.items("pods", space))
    kube.patch("mlneuron", "churn", space, {"spec": {"batching": {"maxSize": 8}}})
    eventually("two configurations", lambda: len(kube.items("configmaps", space, OURS)) == 2)


def test_deleting_a_neuron_leaves_nothing(kube: Kube, space: str) -> None:
    kube.apply(neuron("churn", space, **EVERYTHING))
    eventually("every child", lambda: len(kinds(kube, space)) == 7)
    kube.delete("mlneuron", "churn", space)
    eventually("nothing left", lambda: not kube.items(f"{CHILDREN},replicasets,pods", space, OURS), 30)


def test_a_name_that_is_taken_is_told_and_the_other_object_is_not_touched(kube: Kube, space: str) -> None:
    ports = {"ports": [{"name": "web", "port": 80, "protocol": "TCP", "targetPort": 80}], "selector": {"app": "shop"}}
    kube.apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "churn", "namespace": space}, "spec": ports}
    )
    kube.apply(neuron("churn", space))
    stalled = eventually("stalled", lambda: kube.condition("churn", space, "Stalled"))
    assert stalled["reason"] == "NameTaken"
    assert f"Service {space}/churn exists and is not this neuron's" in stalled["message"]
    service = found(kube, "service", "churn", space)
    assert service["spec"]["selector"] == {"app": "shop"}
    assert "ownerReferences" not in service["metadata"]
    kube.delete("service", "churn", space)
    eventually("it goes on by itself", lambda: kube.condition("churn", space, "Stalled") is None)


def test_what_the_cluster_refuses_is_told_with_the_field_and_mended_by_the_user(kube: Kube, space: str) -> None:
    affinity = {
        "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1000, "preference": {}}]}
    }
    kube.apply(neuron("churn", space, podTemplate={"affinity": affinity}))
    stalled = eventually("stalled", lambda: kube.condition("churn", space, "Stalled"))
    assert stalled["reason"] == "ChildRefused"
    assert "weight" in stalled["message"]
    kube.patch("mlneuron", "churn", space, {"spec": {"podTemplate": None}})
    found(kube, "deployment", "churn", space)
    eventually("no longer stalled", lambda: kube.condition("churn", space, "Stalled") is None)


def test_pods_that_a_quota_refuses_are_told(kube: Kube, space: str) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": space}}
    kube.apply({**quota, "spec": {"hard": {"pods": "0"}}})
    eventually("the quota counts", lambda: found(kube, "resourcequota", "none", space).get("status", {}).get("hard"))
    kube.apply(neuron("churn", space))
    stalled = eventually("stalled", lambda: kube.condition("churn", space, "Stalled"))
    assert stalled["reason"] == "PodsRefused"
    assert "exceeded quota" in stalled["message"]


def test_a_transition_is_an_event_and_only_one(kube: Kube, space: str, running: OperatorProcess) -> None:
    kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "churn", "namespace": space},
                "spec": {"ports": [{"port": 80}]}})  # fmt: skip
    kube.apply(neuron("churn", space))
    eventually("an event", lambda: events(kube, space) == ["NameTaken"])
    before = running.metric("mlneuron_operator_reconciles_total", outcome="stalled")
    eventually(
        "looked at twice more",
        lambda: running.metric("mlneuron_operator_reconciles_total", outcome="stalled") >= before + 2,
    )
    assert events(kube, space) == ["NameTaken"]


def events(kube: Kube, space: str) -> list[str]:
    return [
        item["reason"] for item in kube.items("events.events.k8s.io", space) if item["regarding"]["kind"] == "MLNeuron"
    ]


def test_a_neuron_and_its_children_may_come_and_go_at_once(kube: Kube, space: str) -> None:
    for _ in range(3):
        kube.apply(neuron("churn", space))
        kube.delete("mlneuron", "churn", space)
    kube.apply(neuron("churn", space, replicas=2))
    owner = found(kube, "mlneuron", "churn", space)["metadata"]["uid"]
    eventually("children of the last one", lambda: owners(kube, space) == {owner}, 30)


def owners(kube: Kube, space: str) -> set[str]:
    children = kube.items(CHILDREN, space, OURS)
    return {item["metadata"]["ownerReferences"][0]["uid"] for item in children if len(children) >= 4}
