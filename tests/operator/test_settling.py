"""A variant that has just become ready is given a moment, and one that has traffic keeps it."""

from typing import Any

from mlneuron_operator.api.variant import ModelVariant, VariantWorkload
from mlneuron_operator.settling import SETTLE_SECONDS, Settling
from mlneuron_operator.variants import Contender

from .facts import neuron, observed, pod


def candidate(*, ready: bool) -> Contender:
    model = {"uri": "https://models.example.com/m2.joblib"}
    meta: dict[str, Any] = {"name": "candidate", "namespace": "ml", "uid": "v"}
    obj = {"metadata": meta, "spec": {"neuron": "churn", "model": model, "traffic": 10}, "status": {}}
    variant = ModelVariant.parse(obj)
    return Contender(variant, VariantWorkload.of(variant, neuron()), observed(None, pod(ready=ready)), obj)


def test_it_takes_traffic_once_it_has_been_ready_for_a_while() -> None:
    settling, ready = Settling(), candidate(ready=True)
    assert not settling.settled(ready, None, 100.0)
    assert not settling.settled(ready, None, 100.0 + SETTLE_SECONDS / 2)
    assert settling.settled(ready, None, 100.0 + SETTLE_SECONDS)


def test_a_while_begins_anew_when_it_was_away() -> None:
    settling = Settling()
    settling.settled(candidate(ready=True), None, 100.0)
    assert not settling.settled(candidate(ready=False), None, 101.0)
    assert not settling.settled(candidate(ready=True), None, 100.0 + SETTLE_SECONDS)


def test_one_that_has_traffic_keeps_it_over_a_restart_of_the_operator() -> None:
    table = {"variants": [{"name": "candidate", "percent": 10.0}]}
    assert Settling().settled(candidate(ready=True), table, 0.0)
    assert not Settling().settled(candidate(ready=False), table, 0.0)
    assert not Settling().settled(candidate(ready=True), {"variants": [{"name": "candidate", "percent": 0.0}]}, 0.0)
