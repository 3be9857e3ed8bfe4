"""The neurons of the benchmark, seven children each; and the same children without an operator, as the limit."""

import asyncio
from typing import Any

from mlneuron_operator.api.neuron import MLNeuron
from mlneuron_operator.cluster import Cluster
from mlneuron_operator.desired import desired_state
from mlneuron_operator.kinds import CHILD_KINDS, NEURON, Kind
from mlneuron_operator.settings import RuntimeImages

NAMESPACE = "default"
CHILDREN = len(CHILD_KINDS)


def manifest(name: str) -> dict[str, Any]:
    """A neuron with every optional child."""
    return {
        "apiVersion": NEURON.api_version,
        "kind": NEURON.name,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "model": {"uri": "https://models.example.com/churn.joblib", "version": "1.0.0"},
            "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}},
            "autoscaling": {"minReplicas": 2, "maxReplicas": 4},
            "route": {"host": "ml.example.com"},
        },
    }


async def create(cluster: Cluster, prefix: str, count: int) -> None:
    """Create neurons as fast as the API server takes them."""
    names = (f"{prefix}{number:04d}" for number in range(count))
    await asyncio.gather(*(cluster.create(NEURON, NAMESPACE, manifest(name)) for name in names))


async def counts(cluster: Cluster) -> dict[Kind, int]:
    """How many children of each kind there are, counted by the server without sending them."""
    return {kind: await _count(cluster, kind) for kind in CHILD_KINDS}


async def _count(cluster: Cluster, kind: Kind) -> int:
    page = await cluster.fetch_json(f"{kind.path(NAMESPACE)}?limit=1", 30)
    return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))


async def until_complete(cluster: Cluster, before: dict[Kind, int], neurons: int, every: float) -> None:
    """Wait until there are that many more children of every kind."""
    for kind in reversed(CHILD_KINDS):
        while await _count(cluster, kind) < before[kind] + neurons:  # noqa: ASYNC110 - the server tells when asked
            await asyncio.sleep(every)


async def apply_children(cluster: Cluster, neurons: int) -> None:
    """The limit: the same children applied by a loop that does nothing else, and that nobody looks after."""
    objects = [obj for number in range(neurons) for obj in _orphans(f"limit{number:04d}")]
    await asyncio.gather(*(cluster.apply(obj) for obj in objects))


def _orphans(name: str) -> list[dict[str, Any]]:
    obj = manifest(name)
    obj["metadata"] |= {"uid": "none", "generation": 1}
    built = desired_state(MLNeuron.parse(obj), RuntimeImages(), 2)
    return [
        {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "ownerReferences"}}
        for obj in built
    ]
