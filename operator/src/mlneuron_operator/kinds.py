"""The kinds of API objects that the operator deals with, and where the API server keeps them."""

from dataclasses import dataclass
from typing import Any, Final

from .api.names import GATEWAY_GROUP, GROUP, NEURON_KIND, NEURON_PLURAL, VARIANT_KIND, VARIANT_PLURAL, VERSION


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of API object; all of them live in namespaces."""

    name: str
    api_version: str
    plural: str

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """URL path of a collection (all namespaces with None), an object or a subresource."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        parts = [root, *(("namespaces", namespace) if namespace else ()), self.plural, name, subresource]
        return "/".join(part for part in parts if part)


NEURON: Final = Kind(NEURON_KIND, f"{GROUP}/{VERSION}", NEURON_PLURAL)
VARIANT: Final = Kind(VARIANT_KIND, f"{GROUP}/{VERSION}", VARIANT_PLURAL)
SERVICE_ACCOUNT: Final = Kind("ServiceAccount", "v1", "serviceaccounts")
CONFIG_MAP: Final = Kind("ConfigMap", "v1", "configmaps")
SERVICE: Final = Kind("Service", "v1", "services")
DEPLOYMENT: Final = Kind("Deployment", "apps/v1", "deployments")
DISRUPTION_BUDGET: Final = Kind("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets")
AUTOSCALER: Final = Kind("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers")
INGRESS: Final = Kind("Ingress", "networking.k8s.io/v1", "ingresses")
HTTP_ROUTE: Final = Kind("HTTPRoute", f"{GATEWAY_GROUP}/v1", "httproutes")
POD: Final = Kind("Pod", "v1", "pods")
SECRET: Final = Kind("Secret", "v1", "secrets")
LEASE: Final = Kind("Lease", "coordination.k8s.io/v1", "leases")
EVENT: Final = Kind("Event", "events.k8s.io/v1", "events")

CHILD_KINDS: Final = (
    SERVICE_ACCOUNT,
    CONFIG_MAP,
    SERVICE,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    AUTOSCALER,
    INGRESS,
    HTTP_ROUTE,
)
"""Kinds that the operator makes; every one of their objects that it owns is either desired or pruned."""

OPTIONAL_KINDS: Final = frozenset({HTTP_ROUTE})
"""Kinds that a cluster may lack, now or later; what needs none of them works all the same."""

WATCHED_KINDS: Final = (*CHILD_KINDS, POD)
BY_NAME: Final = {kind.name: kind for kind in (NEURON, VARIANT, *WATCHED_KINDS, SECRET, LEASE, EVENT)}


def kind_of(obj: dict[str, Any]) -> Kind:
    """The kind of an object that the operator builds. Raises KeyError for a kind it does not know."""
    return BY_NAME[obj["kind"]]
