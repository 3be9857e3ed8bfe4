"""What keeps the number of pods: the disruption budget and the autoscaler."""

from typing import Any

from ..api.names import selector_labels
from ..api.workload import Workload
from .meta import metadata


def pod_disruption_budget(workload: Workload) -> dict[str, Any] | None:
    """A budget of one pod at a time, where there can be more than one; with a single pod it would block every drain."""
    scaling = workload.spec.autoscaling
    if (scaling.max_replicas if scaling else workload.spec.replicas) < 2:
        return None
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(workload, workload.name),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": selector_labels(workload.neuron_name, workload.variant)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def horizontal_pod_autoscaler(workload: Workload) -> dict[str, Any] | None:
    """An autoscaler on CPU use, where spec.autoscaling asks for one."""
    scaling = workload.spec.autoscaling
    if scaling is None:
        return None
    target = {"type": "Utilization", "averageUtilization": scaling.target_cpu}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(workload, workload.name),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name},
            "minReplicas": scaling.min_replicas,
            "maxReplicas": scaling.max_replicas,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }
