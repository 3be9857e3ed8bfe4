"""What a reconciliation does where it needs no cluster; the rest is tested on a real one, in tests/integration."""

from typing import Any

from kubernetes.client import Configuration
from mlneuron_operator.cluster import Cluster
from mlneuron_operator.engine.store import Store
from mlneuron_operator.federation.board import FederationBoard
from mlneuron_operator.kinds import NEURON
from mlneuron_operator.metrics import Metrics
from mlneuron_operator.reconcile import Reconciler
from mlneuron_operator.settings import Settings
from mlneuron_operator.status import invalid
from mlneuron_operator.telemetry import Telemetry
from prometheus_client import CollectorRegistry

NOW = "2026-11-24T12:00:00Z"
UNTOLD = "spec.model.framework is not set and 'https://models.example.com/m' does not tell it; set it"


async def test_a_neuron_that_cannot_be_understood_holds_up_no_other_ones_reports() -> None:
    """Its status tells so already, so that nothing is written."""
    meta = {"name": "odd", "namespace": "ml", "uid": "u", "generation": 1, "resourceVersion": "1"}
    spec = {"model": {"uri": "https://models.example.com/m"}}
    obj: dict[str, Any] = {"metadata": meta, "spec": spec, "status": invalid(1, UNTOLD, {}, NOW)}
    store = Store()
    store.put(NEURON, obj)
    cluster = Cluster(Configuration(), Metrics(CollectorRegistry()))
    board = FederationBoard(enabled=True, present=store.neurons)
    telemetry = Telemetry(cluster, store, lambda _: None, direct=False, period=15)
    reconciler = Reconciler(cluster, store, Settings(), telemetry, board)
    assert board.facts() is None
    assert await reconciler.reconcile(("ml", "odd")) == "invalid"
    assert board.facts() == {}
