"""What a variant's status says: of its pods as a neuron's, and of its share."""

from typing import Any

import pytest
from mlneuron_operator.api.status import ConditionType
from mlneuron_operator.api.variant import ModelVariant, VariantWorkload
from mlneuron_operator.api.variant_status import VariantConditionType, VariantReason
from mlneuron_operator.conditions import Draft
from mlneuron_operator.federation.board import variant_facts
from mlneuron_operator.health import Sample
from mlneuron_operator.kinds import DEPLOYMENT
from mlneuron_operator.observation import Observation
from mlneuron_operator.traffic import Excess, Split
from mlneuron_operator.variant_status import Heard, Rolled, derive, waiting
from mlneuron_operator.verdict import Situation

from .facts import deployment, neuron, pod, settled

NOW = "2026-11-24T12:00:00Z"
BOTH = Split(None, {"primary": 9000, "candidate": 1000}, {"candidate": 1000})
NONE = Split(None, {"primary": 10000}, {"candidate": 1000})


def variant(**spec: Any) -> ModelVariant:
    meta = {"name": "candidate", "namespace": "ml", "uid": "v", "generation": 3}
    model = {"uri": "https://models.example.com/m2.joblib", "version": "2.0.0"}
    return ModelVariant.parse({"metadata": meta, "spec": {"neuron": "churn", "model": model, "traffic": 10, **spec}})


def status(split: Split, *pods: Any, live: Any = None, samples: Any = (), **spec: Any) -> dict[str, Any]:
    one = variant(**spec)
    workload = VariantWorkload.of(one, neuron())
    observation = Observation({(DEPLOYMENT, workload.name): live or settled()}, pods)
    return derive(one, Situation(workload, observation), Heard(split, samples), {}, NOW)


def conditions(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {item["type"]: (item["status"], item["reason"]) for item in found["conditions"]}


def test_a_variant_that_serves_says_what_it_answers() -> None:
    told = Sample("2.0.0", "abc", "sklearn", 100, 1000.0, 10, 0)
    found = status(BOTH, pod(ready=True), samples=[told])
    assert conditions(found) == {
        "Ready": ("True", "Serving"),
        "ModelLoaded": ("True", "ModelLoaded"),
        "TrafficApplied": ("True", "TakesTraffic"),
    }
    assert found["traffic"] == 10
    assert found["url"] == "http://churn-candidate.ml.svc"
    assert found["summary"] == {"reason": "Serving", "replicas": "1/1", "traffic": "10"}
    assert found["model"]["version"] == "2.0.0"
    assert found["selector"].endswith("ml.findawise.io/variant=candidate")
    assert found["observedGeneration"] == 3


def test_while_no_pod_is_ready_its_share_is_the_primarys() -> None:
    found = status(NONE, pod(), live=deployment(updatedReplicas=1, replicas=1))
    assert conditions(found)["TrafficApplied"] == ("False", "NotReady")
    assert conditions(found)["Reconciling"] == ("True", "Creating")
    assert found["traffic"] == 0


def test_a_shadow_is_sent_its_share_and_answers_nobody() -> None:
    found = status(NONE, pod(ready=True), mode="Shadow")
    assert conditions(found)["TrafficApplied"] == ("True", "Shadows")
    assert found["traffic"] == 10


def test_a_share_of_0_is_applied() -> None:
    found = status(Split(None, {"primary": 10000}, {"candidate": 0}), pod(ready=True), traffic=0)
    assert conditions(found)["TrafficApplied"] == ("True", "NoShare")


@pytest.mark.parametrize(("too_many", "reason"), [(False, "SharesExceed100"), (True, "TooManyVariants")])
def test_the_newest_of_too_many_is_stalled(too_many: bool, reason: str) -> None:
    excess = Excess("candidate", "the shares add up to 110 %", too_many)
    found = status(Split(None, {"primary": 10000}, {"candidate": 0}, excess=excess), pod(ready=True))
    assert conditions(found)["Stalled"] == ("True", reason)
    assert conditions(found)["TrafficApplied"] == ("False", reason)
    assert found["summary"]["reason"] == reason


def test_another_ones_excess_is_no_trouble_of_its_own() -> None:
    excess = Excess("newer", "the shares add up to 110 %")
    found = status(Split(None, BOTH.shares, BOTH.granted, excess=excess), pod(ready=True))
    assert "Stalled" not in conditions(found)


def test_without_its_neuron_it_waits_and_keeps_what_a_rollout_has_reached() -> None:
    found = waiting(3, ("ml", "churn"), {"rollout": {"state": "{}"}}, NOW)
    assert conditions(found)["Reconciling"] == ("True", "WaitingForNeuron")
    assert found["conditions"][0]["message"].startswith("Waiting for neuron churn: ")
    assert found["rollout"] == {"state": "{}"}


def test_the_federation_is_told_of_the_harm_with_its_numbers_and_its_time() -> None:
    said = "error rate 9 % (9/100) against 1 % (1/100) of the primary"
    drafts = [
        Draft(VariantConditionType.ROLLOUT_HEALTHY, "False", VariantReason.ROLLED_BACK, said),
        Draft(ConditionType.STALLED, "True", VariantReason.ROLLED_BACK, said),
    ]
    one, workload = variant(), VariantWorkload.of(variant(), neuron())
    situation = Situation(workload, Observation({(DEPLOYMENT, workload.name): settled()}, (pod(ready=True),)))
    rolled = Rolled(drafts, {"step": 1, "steps": 2, "verdict": "Harm"}, "1/2", "Harm")
    told = variant_facts(one, derive(one, situation, Heard(NONE, (), rolled), {}, NOW))
    assert (told.name, told.mode, told.traffic, told.version) == ("candidate", "Split", 0, "2.0.0")
    assert (told.step, told.verdict, told.harm, told.harmed_at) == ("1/2", "Harm", said, NOW)


def test_a_variant_that_does_no_harm_tells_none() -> None:
    one = variant()
    told = variant_facts(one, status(BOTH, pod(ready=True)))
    assert (told.traffic, told.step, told.verdict, told.harm) == (10, None, None, None)
