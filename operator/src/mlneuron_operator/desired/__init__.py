"""All objects that a neuron implies, as pure functions: one builder a noun, none of them reads anything."""

from collections.abc import Mapping
from typing import Any

from ..api.workload import Workload
from ..settings import RuntimeImages
from .access import ingress, service
from .config import config_map
from .deployment import deployment
from .identity import service_account
from .meta import seal
from .route import http_route
from .scaling import horizontal_pod_autoscaler, pod_disruption_budget
from .traffic import traffic_map

Object = dict[str, Any]

__all__ = ["Object", "desired_state"]


def desired_state(
    workload: Workload,
    images: RuntimeImages,
    replicas: int | None,
    *,
    front: str | None = None,
    table: Object | None = None,
    shares: Mapping[str, int] | None = None,
) -> list[Object]:
    """Everything that is to exist for a neuron or a variant, in the order in which it is to be made.

    The split comes early: a child that the cluster refuses must not keep a variant that does harm in the traffic.
    ``front`` is the variant whose pods answer at the neuron's Service instead of its own, ``table`` its traffic table,
    ``shares`` who answers how much of it, in hundredths of a percent.
    ``replicas`` is the Deployment's count, or None where an autoscaler owns it (see ``observation``).
    Every object carries a digest of itself (``meta.seal``), by which a later pass knows that it was applied as is.
    """
    config = config_map(workload)
    objects = [
        service_account(workload) if workload.spec.pod_template.service_account_name is None else None,
        config,
        traffic_map(workload, table) if table is not None else None,
        service(workload, front),
        http_route(workload, shares or {}, [item["name"] for item in table["variants"]] if table else []),
        deployment(workload, images, config["metadata"]["name"], replicas),
        pod_disruption_budget(workload),
        horizontal_pod_autoscaler(workload),
        ingress(workload),
    ]
    return [seal(obj) for obj in objects if obj is not None]
