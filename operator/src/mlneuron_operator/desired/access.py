"""The ways in: the Service inside the cluster, the Ingress from outside (``route`` has the one through a Gateway)."""

from typing import Any, Final

from ..api.names import selector_labels
from ..api.workload import Workload
from .meta import metadata

HTTP_PORT: Final = 8080
GRPC_PORT: Final = 8081
METRICS_PORT: Final = 9090


def service(workload: Workload, front: str | None = None) -> dict[str, Any]:
    """The workload's address: HTTP on port 80, gRPC on 8081 where it is served, metrics on 9090.

    ``front`` is the variant whose pods answer in place of the workload's own, while none of those is ready.
    """
    grpc = {"name": "grpc", "port": GRPC_PORT, "targetPort": "grpc", "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(workload, workload.name),
        "spec": {
            "type": "ClusterIP",
            "selector": selector_labels(workload.neuron_name, front or workload.variant),
            "ports": [
                {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"},
                *([{**grpc, "appProtocol": "kubernetes.io/h2c"}] if workload.spec.serving.grpc else []),
                {"name": "metrics", "port": METRICS_PORT, "targetPort": "metrics", "protocol": "TCP"},
            ],
        },
    }


def url(workload: Workload) -> str:
    """Where the workload answers inside the cluster."""
    return f"http://{workload.name}.{workload.namespace}.svc"


def ingress(workload: Workload) -> dict[str, Any] | None:
    """The way in from outside, where spec.route asks for one and names no Gateway."""
    route = workload.spec.route
    if route is None or route.gateway is not None:
        return None
    backend = {"service": {"name": workload.name, "port": {"name": "http"}}}
    spec: dict[str, Any] = {
        "rules": [
            {
                "host": route.host,
                "http": {"paths": [{"path": route.path, "pathType": "Prefix", "backend": backend}]},
            }
        ]
    }
    if route.ingress_class_name is not None:
        spec["ingressClassName"] = route.ingress_class_name
    if route.tls_secret_name is not None:
        spec["tls"] = [{"hosts": [route.host], "secretName": route.tls_secret_name}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata(workload, workload.name, route.annotations),
        "spec": spec,
    }
