"""What a neuron's pod is: the runtime under the restricted Pod Security Standard, and its model."""

import math
from typing import Any, Final

from ..api.names import selector_labels, support_name
from ..api.quantity import canonical
from ..api.workload import Workload
from ..settings import RuntimeImages
from .access import GRPC_PORT, HTTP_PORT, METRICS_PORT
from .config import CONFIG_KEY, drain_seconds
from .source import needs_fetch
from .volumes import CONFIG_FOLDER, fetch_mounts, runtime_mounts, volumes

DEFAULT_REQUESTS: Final = {"cpu": "100m", "memory": "256Mi"}
RUNTIME_UID: Final = 65532
PRE_STOP_SECONDS: Final = 5
"""A stopping pod keeps serving this long, until every node has taken it off the Service."""

_CONTAINER_SECURITY: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_POD_SECURITY: Final = {
    "runAsNonRoot": True,
    "runAsUser": RUNTIME_UID,
    "runAsGroup": RUNTIME_UID,
    "fsGroup": RUNTIME_UID,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod_spec(workload: Workload, images: RuntimeImages, config: str) -> dict[str, Any]:
    """The pod: one runtime container, before it the step that fetches and prepares the model where that is needed."""
    template = workload.spec.pod_template
    optional = {
        "initContainers": [_fetch(workload, images)] if needs_fetch(workload) else None,
        "nodeSelector": template.node_selector,
        "tolerations": [item.model_dump(by_alias=True, exclude_none=True) for item in template.tolerations],
        "affinity": template.affinity,
        "imagePullSecrets": [item.model_dump(by_alias=True) for item in template.image_pull_secrets],
        "priorityClassName": template.priority_class_name,
        "runtimeClassName": template.runtime_class_name,
    }
    return {
        "serviceAccountName": template.service_account_name or support_name(workload.name),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _POD_SECURITY,
        "terminationGracePeriodSeconds": PRE_STOP_SECONDS + math.ceil(drain_seconds(workload)) + 5,
        "topologySpreadConstraints": [_spread(workload)],
        "containers": [_runtime(workload, images)],
        "volumes": volumes(workload, config),
        **{name: value for name, value in optional.items() if value},
    }


def image(workload: Workload, images: RuntimeImages) -> str:
    """The runtime image: the GPU one for a GPU, and for torch, which the CPU image leaves out."""
    return images.gpu if workload.gpu or workload.spec.model.resolved_framework() == "torch" else images.cpu


def _runtime(workload: Workload, images: RuntimeImages) -> dict[str, Any]:
    return {
        "name": "runtime",
        **_container(workload, images, "serve"),
        "ports": [
            {"name": name, "containerPort": port, "protocol": "TCP"} for name, port in container_ports(workload).items()
        ],
        "resources": _resources(workload),
        "startupProbe": _probe("/livez", period=1, failures=120),
        "readinessProbe": _probe("/readyz", period=2, failures=2),
        "livenessProbe": _probe("/livez", period=10, failures=3),
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
        "volumeMounts": runtime_mounts(workload),
    }


def container_ports(workload: Workload) -> dict[str, int]:
    """What the runtime listens on, by the ports' names."""
    grpc = {"grpc": GRPC_PORT} if workload.spec.serving.grpc else {}
    return {"http": HTTP_PORT, **grpc, "metrics": METRICS_PORT}


def _fetch(workload: Workload, images: RuntimeImages) -> dict[str, Any]:
    resources = {
        kind: {name: value for name, value in amounts.items() if "/" not in name}
        for kind, amounts in _resources(workload).items()
    }
    credentials = workload.spec.model.credentials
    return {
        "name": "fetch",
        **_container(workload, images, "fetch"),
        **({"envFrom": [{"secretRef": {"name": credentials.secret_name}}]} if credentials else {}),
        "resources": {kind: amounts for kind, amounts in resources.items() if amounts},
        "volumeMounts": fetch_mounts(workload),
    }


def _container(workload: Workload, images: RuntimeImages, command: str) -> dict[str, Any]:
    env = [item.model_dump(by_alias=True, exclude_none=True) for item in workload.spec.pod_template.env]
    return {
        "image": image(workload, images),
        "imagePullPolicy": images.pull_policy,
        "args": [command, "--config", f"{CONFIG_FOLDER}/{CONFIG_KEY}"],
        **({"env": env} if env else {}),
        "securityContext": _CONTAINER_SECURITY,
    }


def _resources(workload: Workload) -> dict[str, dict[str, str]]:
    """Requests and limits; an extended resource stands equally in both, as Kubernetes demands."""
    requests = {name: canonical(value) for name, value in workload.spec.resources.requests.items()}
    limits = {name: canonical(value) for name, value in workload.spec.resources.limits.items()}
    extended = {name: value for name, value in {**requests, **limits}.items() if "/" in name}
    if not requests:
        requests = {name: limits.get(name, value) for name, value in DEFAULT_REQUESTS.items()}
    result = {"requests": {**requests, **extended}, "limits": {**limits, **extended}}
    return {kind: amounts for kind, amounts in result.items() if amounts}


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    """On the port of the metrics: of several processes that serve, it is their supervisor's, which knows of all."""
    return {
        "httpGet": {"path": path, "port": "metrics"},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }


def _spread(workload: Workload) -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector_labels(workload.neuron_name, workload.variant)},
    }
