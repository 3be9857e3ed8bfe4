"""Variants against a real API server and real controllers: what is made for them, what they wait for, what is told."""

import json
from typing import Any

import pytest

from tests.support.kube import Kube, eventually

from .neurons import neuron
from .variants import all_told, condition, newer, refused, selected, serves, status, step, table, traffic, variant

pytestmark = pytest.mark.integration


@pytest.mark.usefixtures("running")
class TestVariants:
    def test_a_variant_becomes_its_own_pods_that_the_neurons_service_does_not_select(
        self, kube: Kube, space: str
    ) -> None:
        kube.apply(neuron("churn", space), variant("candidate", space, replicas=2))
        deployment = eventually("a deployment", lambda: kube.get("deployment", "churn-candidate", space))
        service = eventually("a service", lambda: kube.get("service", "churn-candidate", space))
        eventually("a budget", lambda: kube.get("poddisruptionbudget", "churn-candidate", space))
        pods = deployment["spec"]["template"]["metadata"]["labels"]
        own = eventually("the neuron's service", lambda: kube.get("service", "churn", space))["spec"]["selector"]
        assert service["spec"]["selector"].items() <= pods.items()
        assert not own.items() <= pods.items()
        owner = kube.get("modelvariant", "candidate", space) or {}
        assert deployment["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
        told = eventually("a status", lambda: status(kube, space))
        assert told["observedGeneration"] == 1
        eventually("a table without traffic", lambda: table(kube, space))
        assert traffic(kube, space) == "none"

    def test_it_waits_for_a_neuron_that_does_not_exist_and_comes_alive_with_it(self, kube: Kube, space: str) -> None:
        kube.apply(variant("candidate", space))
        waits = eventually("it waits", lambda: condition(kube, space, "Reconciling"))
        assert waits["reason"] == "WaitingForNeuron"
        assert waits["message"].startswith("Waiting for neuron churn: ")
        assert kube.get("deployment", "churn-candidate", space) is None
        kube.apply(neuron("churn", space))
        eventually("its pods are made", lambda: kube.get("deployment", "churn-candidate", space))
        kube.delete("mlneuron", "churn", space)
        eventually("it waits again", lambda: (condition(kube, space, "Ready") or {})["reason"] == "WaitingForNeuron")
        eventually("without pods", lambda: kube.get("deployment", "churn-candidate", space) is None)

    def test_it_takes_its_share_when_it_is_ready_and_gives_it_back_when_it_goes(self, kube: Kube, space: str) -> None:
        kube.apply(neuron("churn", space), variant("candidate", space, 12.5))
        serves(kube, space, "primary")
        eventually("all is the primary's", lambda: traffic(kube, space) == "primary=100")
        assert (condition(kube, space, "TrafficApplied") or {})["reason"] == "NotReady"
        serves(kube, space, "candidate")
        eventually("the split", lambda: traffic(kube, space) == "primary=87.5 candidate=12.5")
        found = table(kube, space) or {}
        assert [item["percent"] for item in found["variants"]] == [12.5]
        eventually("the pods' nodes are told", lambda: all_told(kube, space))
        row = kube.run("get", "mv", "-n", space).stdout.splitlines()
        assert row[0].split() == ["NAME", "NEURON", "MODE", "TRAFFIC", "STEP", "VERDICT", "READY", "AGE"]
        assert row[1].split()[:5] == ["candidate", "churn", "Split", "12.5", "True"]
        kube.patch("modelvariant", "candidate", space, {"spec": {"traffic": 0.01}})
        eventually("another split", lambda: traffic(kube, space) == "primary=99.99 candidate=0.01")
        kube.delete("modelvariant", "candidate", space)
        eventually("all is the primary's again", lambda: traffic(kube, space) == "primary=100")
        eventually("nothing of it is left", lambda: kube.get("deployment", "churn-candidate", space) is None)
        eventually("nor in the table", lambda: (table(kube, space) or {}).get("variants") == [])

    def test_shares_over_100_are_refused_on_the_neuron_and_on_the_newest_variant(self, kube: Kube, space: str) -> None:
        kube.apply(neuron("churn", space), variant("older", space, 60))
        serves(kube, space, "primary")
        serves(kube, space, "older")
        eventually("a split", lambda: traffic(kube, space) == "primary=40 older=60")
        eventually("a second later", lambda: newer(kube, space))
        kube.apply(variant("newer", space, 50))
        stalled = eventually("it is told", lambda: condition(kube, space, "Stalled", "newer"))
        assert stalled["reason"] == "SharesExceed100"
        assert "the shares add up to 110 % (older 60, newer 50)" in stalled["message"]
        applied = eventually("on the neuron, too", lambda: refused(kube, space))
        assert "110" in applied["message"]
        assert condition(kube, space, "Stalled", "older") is None
        assert traffic(kube, space) == "primary=40 older=60"
        kube.patch("modelvariant", "newer", space, {"spec": {"traffic": 40}})
        eventually("it goes on", lambda: condition(kube, space, "Stalled", "newer") is None)

    def test_the_service_turns_to_the_variant_while_no_primary_pod_is_ready(self, kube: Kube, space: str) -> None:
        kube.apply(neuron("churn", space), variant("candidate", space))
        serves(kube, space, "candidate")
        eventually("it has turned", lambda: selected(kube, space) == "candidate", 10)
        eventually("all is the variant's", lambda: traffic(kube, space) == "candidate=100")
        assert (kube.condition("churn", space, "TrafficApplied") or {})["reason"] == "PrimaryDown"
        serves(kube, space, "primary")
        eventually("it has turned back", lambda: selected(kube, space) == "primary", 10)
        eventually("the split", lambda: traffic(kube, space) == "primary=90 candidate=10")

    def test_what_the_api_server_refuses_of_variants(self, kube: Kube, space: str) -> None:
        cases: list[tuple[str, dict[str, Any], str]] = [
            ("at most two decimals", {"traffic": 0.001}, "a"),
            ("less than or equal to 100", {"traffic": 101}, "a"),
            ("neither traffic nor rollout", {"traffic": None}, "a"),
            (
                "nothing can be rolled out",
                {"mode": "Shadow", "rollout": {"steps": [{"traffic": 1, "hold": "1m"}]}},
                "a",
            ),
            ("put them in order", {"rollout": {"steps": [step(10), step(5)]}}, "a"),
            ("is not a duration", {"rollout": {"steps": [{"traffic": 1, "hold": "soon"}]}}, "a"),
            ("choose at least 1s", {"rollout": {"steps": [{"traffic": 1, "hold": "0s"}]}}, "a"),
            ("at least 1 items", {"rollout": {"steps": []}}, "a"),
            ("Promote needs a registry", {"rollout": {"steps": [step(1)], "onSuccess": "Promote"}}, "a"),
            ("names a Service too", {}, "a.b"),
            ("names a Service too", {}, "primary"),
            ("longer than 63", {}, "v" * 58),
            ("autoscaling needs a CPU request", {"autoscaling": {"maxReplicas": 2}, "resources": {}}, "a"),
        ]
        for words, spec, name in cases:
            bad = variant(name, space, **spec)
            done = kube.run("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(bad), check=False)
            assert words in done.stderr, (words, done.stderr)

    def test_what_the_api_server_takes_of_variants(self, kube: Kube, space: str) -> None:
        specs: list[dict[str, Any]] = [
            {"traffic": 0},
            {"traffic": 0.01},
            {"traffic": 99.99},
            {"traffic": 33.33},
            {"traffic": 100},
            {"traffic": 57.57, "mode": "Shadow"},
            {"traffic": None, "rollout": {"steps": [step(0.01), step(7), step(57.57), step(100)], "paused": True}},
            {"guard": {"minRequests": 1, "minAccuracyGain": -0.05, "confidence": 0.9}},
            {"autoscaling": {"maxReplicas": 2}},
            {"resources": {"limits": {"nvidia.com/gpu": 1}}, "podTemplate": {"nodeSelector": {"a": "b"}}},
        ]
        for spec in specs:
            good = variant("a", space, **spec)
            done = kube.run(
                "apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(good), check=False
            )
            assert not done.stderr, (spec, done.stderr)

    def test_a_variant_stays_with_its_neuron(self, kube: Kube, space: str) -> None:
        kube.apply(variant("candidate", space))
        patch = ("--type=merge", "-p", json.dumps({"spec": {"neuron": "other"}}))
        done = kube.run("patch", "modelvariant", "candidate", "-n", space, *patch, check=False)
        assert "a variant stays with its neuron" in done.stderr

    def test_kubectl_scale_scales_it(self, kube: Kube, space: str) -> None:
        kube.apply(neuron("churn", space), variant("candidate", space))
        eventually("a deployment", lambda: kube.get("deployment", "churn-candidate", space))
        kube.run("scale", "modelvariant", "candidate", "-n", space, "--replicas=3")
        eventually("three", lambda: (kube.get("deployment", "churn-candidate", space) or {})["spec"]["replicas"] == 3)
