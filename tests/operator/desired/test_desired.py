"""Neuron in, objects out: the pairs of files under input/ and output/ show what the operator makes of a neuron.

``MLNEURON_WRITE_FIXTURES=1 pytest tests/operator/desired`` writes output/ anew after a wanted change.
"""

import json
import os
from typing import Any

import pytest
import yaml
from mlneuron_operator.api.names import ANNOTATION_DESIRED, ANNOTATION_REVISION

from .built import CASES, HERE, IMAGES, build, by_kind, changed, load, pod


@pytest.mark.parametrize("name", CASES)
def test_a_neuron_implies_exactly_the_objects_on_file(name: str) -> None:
    obj = load(name)
    built = build(obj, None if "autoscaling" in obj["spec"] else obj["spec"].get("replicas", 1))
    path = HERE / "output" / f"{name}.yaml"
    if os.environ.get("MLNEURON_WRITE_FIXTURES"):
        path.write_text(yaml.dump_all(built, Dumper=Plain, sort_keys=False, width=120))
    assert built == list(yaml.safe_load_all(path.read_text()))


class Plain(yaml.SafeDumper):
    """Writes shared parts out each time, and texts of several lines as they are read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


Plain.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def revision(objects: list[dict[str, Any]]) -> str:
    return str(pod(objects)["metadata"]["annotations"][ANNOTATION_REVISION])


def test_building_twice_gives_the_same_objects() -> None:
    assert build(load("everything")) == build(load("everything"))


def test_a_changed_limit_makes_a_new_configuration_and_a_new_revision() -> None:
    before, after = build(load("minimal")), build(changed(load("minimal"), batching={"maxSize": 8}))
    assert by_kind(before)["ConfigMap"]["metadata"]["name"] != by_kind(after)["ConfigMap"]["metadata"]["name"]
    assert revision(before) != revision(after)


def test_another_number_of_replicas_makes_no_new_revision() -> None:
    before, after = build(load("minimal"), 1), build(load("minimal"), 5)
    assert revision(before) == revision(after)
    assert by_kind(after)["Deployment"]["spec"]["replicas"] == 5
    marks = [
        by_kind(objects)["Deployment"]["metadata"]["annotations"][ANNOTATION_DESIRED] for objects in (before, after)
    ]
    assert marks[0] != marks[1]


def test_the_operators_own_labels_win_over_the_users() -> None:
    obj = changed(load("minimal"), podTemplate={"labels": {"ml.findawise.io/neuron": "other", "team": "a"}})
    labels = pod(build(obj))["metadata"]["labels"]
    assert labels["ml.findawise.io/neuron"] == "churn"
    assert labels["team"] == "a"


def test_torch_gets_the_image_that_has_torch_without_any_gpu() -> None:
    obj = changed(load("minimal"), model={"uri": "https://models.example.com/net.pt"})
    assert pod(build(obj))["spec"]["containers"][0]["image"] == IMAGES.gpu


def test_a_gpu_named_in_requests_alone_is_limited_too() -> None:
    obj = changed(load("minimal"), resources={"requests": {"nvidia.com/gpu": "2"}})
    container = pod(build(obj))["spec"]["containers"][0]
    assert (
        container["resources"]["limits"]["nvidia.com/gpu"]
        == container["resources"]["requests"]["nvidia.com/gpu"]
        == "2"
    )
    assert container["image"] == IMAGES.gpu


def test_the_fetch_step_takes_no_gpu() -> None:
    obj = changed(load("minimal"), resources={"limits": {"nvidia.com/gpu": "1"}, "requests": {"cpu": "1"}})
    fetch = pod(build(obj))["spec"]["initContainers"][0]
    assert fetch["resources"] == {"requests": {"cpu": "1"}}


def test_one_pod_has_no_disruption_budget_since_it_would_block_every_drain() -> None:
    assert "PodDisruptionBudget" not in by_kind(build(load("minimal")))
    assert "PodDisruptionBudget" in by_kind(build(changed(load("minimal"), replicas=2), 2))


def test_a_stopping_pod_is_given_time_to_answer_what_it_has_accepted() -> None:
    obj = changed(load("minimal"), serving={"timeout": "90s"})
    assert pod(build(obj))["spec"]["terminationGracePeriodSeconds"] == 5 + 95 + 5


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ({}, 1),
        ({"resources": {"limits": {"cpu": "4"}}}, 4),
        ({"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "3900m"}}}, 3),
        ({"resources": {"requests": {"cpu": 2}}}, 2),
        ({"resources": {"requests": {"cpu": "300m"}}}, 1),
        ({"resources": {"limits": {"cpu": "64"}}}, 8),
        ({"resources": {"limits": {"cpu": "4", "nvidia.com/gpu": 1}}}, 1),
        ({"resources": {"limits": {"cpu": "4"}}, "model": {"uri": "https://h/m.pt"}}, 1),
        ({"resources": {"limits": {"cpu": "4"}}, "serving": {"workers": 2}}, 2),
        ({"resources": {"limits": {"cpu": "4"}}, "model": {"uri": "https://h/m.pt"}, "serving": {"workers": 3}}, 3),
    ],
)
def test_a_pod_has_a_process_for_each_cpu_unless_told_otherwise(spec: dict[str, Any], count: int) -> None:
    config = by_kind(build(changed(load("minimal"), **spec)))["ConfigMap"]
    assert json.loads(config["data"]["config.json"])["serving"]["workers"] == count


def test_without_grpc_no_port_is_named_for_it() -> None:
    objects = build(changed(load("minimal"), serving={"grpc": False}))
    ports = [port["name"] for port in by_kind(objects)["Service"]["spec"]["ports"]]
    named = [port["name"] for port in pod(objects)["spec"]["containers"][0]["ports"]]
    assert ports == named == ["http", "metrics"]
