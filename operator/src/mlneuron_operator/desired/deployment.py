"""The Deployment of a workload's pods: how they are rolled and counted; ``pod`` says what they are."""

from typing import Any

from ..api.names import ANNOTATION_REVISION, child_labels, selector_labels
from ..api.workload import Workload
from ..settings import RuntimeImages
from .meta import digest, metadata
from .pod import pod_spec


def deployment(workload: Workload, images: RuntimeImages, config: str, replicas: int | None) -> dict[str, Any]:
    """A Deployment that never has fewer ready pods than asked for while it rolls.

    ``config`` names the ConfigMap; as its content names it, a changed limit rolls the pods. The pod template's own
    digest is among its annotations, by which status tells the pods of this revision from those of the last.
    """
    template = _template(workload, images, config)
    template["metadata"]["annotations"] = {
        **workload.spec.pod_template.annotations,
        ANNOTATION_REVISION: digest(template),
    }
    spec: dict[str, Any] = {
        "selector": {"matchLabels": selector_labels(workload.neuron_name, workload.variant)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "revisionHistoryLimit": 3,
        "template": template,
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(workload, workload.name),
        "spec": spec,
    }


def _template(workload: Workload, images: RuntimeImages, config: str) -> dict[str, Any]:
    whose = workload.neuron_name, workload.variant
    labels = {**workload.spec.pod_template.labels, **child_labels(*whose), **selector_labels(*whose)}
    return {"metadata": {"labels": labels}, "spec": pod_spec(workload, images, config)}
