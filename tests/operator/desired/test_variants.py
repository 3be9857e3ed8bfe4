"""Neuron and variant in, objects out: variants/input and variants/output show what the operator makes of the two.

``MLNEURON_WRITE_FIXTURES=1 pytest tests/operator/desired`` writes output/ anew after a wanted change.
"""

import json
import os
from typing import Any

import pytest
import yaml
from mlneuron_operator.api.neuron import MLNeuron
from mlneuron_operator.api.variant import ModelVariant, VariantWorkload
from mlneuron_operator.desired import desired_state
from mlneuron_operator.traffic import split
from mlneuron_operator.variants import Contender, plain_share

from ..facts import observed
from ..facts import pod as pod_of
from .built import HERE, IMAGES, by_kind, pod
from .test_desired import Plain

FOLDER = HERE / "variants"
CASES = sorted(path.stem for path in (FOLDER / "input").glob("*.yaml"))


def load(name: str) -> tuple[MLNeuron, Contender]:
    first, second = yaml.safe_load_all((FOLDER / "input" / f"{name}.yaml").read_text())
    neuron, variant = MLNeuron.parse(first), ModelVariant.parse(second)
    ready = observed(None, pod_of(ready=True))
    return neuron, Contender(variant, VariantWorkload.of(variant, neuron), ready, {**second, "status": {}})


def build(name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The neuron's objects and the variant's, while pods of both serve."""
    neuron, one = load(name)
    found = split(neuron, [one.competes(plain_share(one.variant), ready=True)], True, None)
    replicas, shares = neuron.spec.replicas, found.shares
    own = desired_state(neuron, IMAGES, replicas, front=found.front, table=found.table, shares=shares)
    return own, desired_state(one.workload, IMAGES, one.variant.spec.replicas)


@pytest.mark.parametrize("name", CASES)
def test_a_variant_implies_exactly_the_objects_on_file(name: str) -> None:
    own, built = build(name)
    table = [obj for obj in own if obj["metadata"]["name"] == "churn-mlneuron-traffic" or obj["kind"] == "HTTPRoute"]
    path = FOLDER / "output" / f"{name}.yaml"
    if os.environ.get("MLNEURON_WRITE_FIXTURES"):
        path.write_text(yaml.dump_all([*table, *built], Dumper=Plain, sort_keys=False, width=120))
    assert [*table, *built] == list(yaml.safe_load_all(path.read_text()))


def test_neither_service_selects_the_others_pods() -> None:
    own, built = map(by_kind, build("candidate"))
    for selecting, other in ((own, built), (built, own)):
        labels = other["Deployment"]["spec"]["template"]["metadata"]["labels"]
        for kind, selector in (("Service", "selector"), ("Deployment", "selector")):
            wanted = selecting[kind]["spec"][selector]
            assert not wanted.get("matchLabels", wanted).items() <= labels.items()


def test_a_variants_children_are_its_own_to_take_along() -> None:
    for obj in build("candidate")[1]:
        (owner,) = obj["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"][-1]) == ("ModelVariant", "candidate", "2")


def test_a_variant_serves_in_the_way_of_its_neuron() -> None:
    own, built = (
        json.loads(by_kind(objects[1:])["ConfigMap"]["data"]["config.json"]) for objects in named("candidate")
    )
    assert built["model"]["name"] == own["model"]["name"] == "churn"
    assert built["model"]["version"] == "2.0.0"
    assert built["neuron"] == {"namespace": "ml", "name": "churn", "variant": "candidate"}
    for key in ("timeoutSeconds", "maxBodyBytes", "grpc", "tokenFile", "drainSeconds"):
        assert built["serving"][key] == own["serving"][key]
    assert built["serving"]["trafficFile"] is None, "it forwards nothing"
    assert built["serving"]["payloadLog"] is None, "the front door logs what it forwards"


def named(name: str) -> list[list[dict[str, Any]]]:
    """Without the traffic table."""
    return [[obj for obj in objects if not obj["metadata"]["name"].endswith("-traffic")] for objects in build(name)]


def test_what_a_variant_does_not_say_of_its_pods_is_as_the_neurons() -> None:
    spec = pod(named("candidate")[1])["spec"]
    assert spec["nodeSelector"] == {"pool": "inference"}
    assert spec["containers"][0]["resources"]["requests"] == {"cpu": "500m", "memory": "512Mi"}


def test_the_first_variant_rolls_no_pod_of_the_neuron() -> None:
    neuron, _ = load("candidate")
    alone = by_kind(desired_state(neuron, IMAGES, 1))["Deployment"]
    assert by_kind(build("candidate")[0])["Deployment"] == alone


def test_the_neurons_service_turns_to_the_variants_pods() -> None:
    neuron, one = load("candidate")
    turned = by_kind(desired_state(neuron, IMAGES, 1, front="candidate"))["Service"]["spec"]["selector"]
    assert turned.items() <= pod(desired_state(one.workload, IMAGES, 1))["metadata"]["labels"].items()
