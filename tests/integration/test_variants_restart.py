"""A split and a rollout over restarts of the operator: it goes on where it was, and writes nothing for it."""

import pytest

from tests.support.kube import Kube, eventually

from .conftest import Start
from .neurons import neuron
from .variants import all_told, serves, status, traffic, variant

pytestmark = pytest.mark.integration


def test_a_restart_with_a_split_in_effect_writes_nothing(kube: Kube, space: str, start: Start) -> None:
    with start() as first:
        first.wait_until_leading()
        kube.apply(neuron("churn", space), variant("candidate", space))
        serves(kube, space, "primary")
        serves(kube, space, "candidate")
        eventually("the split", lambda: traffic(kube, space) == "primary=90 candidate=10")
        eventually("the pods' nodes are told", lambda: all_told(kube, space))
        eventually("settled", first.settled)
    with start() as second:
        eventually("all looked at", lambda: second.metric("mlneuron_operator_reconciles_total") >= 1)
        eventually("settled", second.settled)
        assert second.writes() == 0


def test_a_rollout_goes_on_after_a_restart_as_if_there_had_been_none(kube: Kube, space: str, start: Start) -> None:
    rollout = {"steps": [{"traffic": 5, "hold": "10m"}, {"traffic": 50, "hold": "10m"}]}
    with start() as first:
        first.wait_until_leading()
        kube.apply(neuron("churn", space), variant("candidate", space, None, rollout=rollout))
        serves(kube, space, "primary")
        serves(kube, space, "candidate")
        eventually("the first step", lambda: traffic(kube, space) == "primary=95 candidate=5")
        eventually("its clock goes", lambda: status(kube, space)["rollout"]["verdict"] == "Progressing")
        eventually("the pods' nodes are told", lambda: all_told(kube, space))
        eventually("settled", first.settled)
        before = status(kube, space)
    with start() as second:
        eventually("looked at twice", lambda: second.metric("mlneuron_operator_reconciles_total") >= 3, 30)
        assert status(kube, space) == before
        assert traffic(kube, space) == "primary=95 candidate=5"
        assert second.writes() == 0
