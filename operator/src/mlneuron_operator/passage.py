"""Through which Gateways a neuron is reached, and whether they take its route, by the route's own status; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from .api.access import ParentReference
from .api.neuron import MLNeuron
from .api.status import ConditionType, Reason, TrafficReason
from .conditions import ConditionStatus, Draft
from .kinds import HTTP_ROUTE
from .verdict import Situation

Object = dict[str, Any]

_TAKEN: Final = ("Accepted", "ResolvedRefs")
"""Conditions that a Gateway's controller sets on a route, of which both have to hold."""


@dataclass(frozen=True, slots=True)
class Passage:
    """The Gateways in words, and what keeps them from splitting as is wanted now."""

    gateways: str
    hindrance: Draft | None = None


def passage(neuron: MLNeuron, situation: Situation) -> Passage | None:
    """The way through the Gateways; None where none is asked for."""
    route = neuron.spec.route
    if route is None or route.gateway is None:
        return None
    parents = route.gateway.parent_refs
    names = ", ".join(_name(parent, neuron.namespace) for parent in parents)
    return Passage(f"Gateway {names}", _hindrance(neuron.namespace, parents, situation))


def _hindrance(namespace: str, parents: Sequence[ParentReference], situation: Situation) -> Draft | None:
    fault, live = situation.fault, situation.observation.children.get((HTTP_ROUTE, situation.workload.name))
    if fault is not None and fault.reason is Reason.GATEWAY_API_MISSING:
        return _draft("False", TrafficReason.GATEWAY_API_MISSING, fault.message)
    if live is None:
        return _draft("Unknown", TrafficReason.ROUTE_PENDING, "its HTTPRoute is not made yet")
    found = (_of_parent(namespace, parent, live) for parent in parents)
    return next((draft for draft in found if draft is not None), None)


def _of_parent(namespace: str, wanted: ParentReference, live: Object) -> Draft | None:
    """What one Gateway says against the route, in its own words."""
    name = _name(wanted, namespace)
    said = [item for item in live["status"]["parents"] if _same(item["parentRef"], wanted, namespace)]
    if not said:
        silent = f"no controller has said whether Gateway {name} takes the route: the Gateway has to exist, and the "
        return _draft("Unknown", TrafficReason.ROUTE_PENDING, silent + "controller of its class to run")
    conditions = {item["type"]: item for parent in said for item in parent["conditions"]}
    for kind in _TAKEN:
        condition = conditions.get(kind)
        if condition is None or condition.get("observedGeneration", 0) < live["metadata"].get("generation", 0):
            late = f"Gateway {name} has not taken the newest split yet; the last one is in effect there"
            return _draft("Unknown", TrafficReason.ROUTE_PENDING, late)
        if condition["status"] != "True":
            words = f"{condition.get('reason', kind)}: {condition.get('message', '')}".rstrip(": ")
            return _draft("False", TrafficReason.ROUTE_REFUSED, f"Gateway {name} does not take the route: {words}")
    return None


def _same(told: Object, wanted: ParentReference, namespace: str) -> bool:
    """Whether a status speaks of this parent; what it leaves out is as the API's defaults are."""
    return (
        told["name"] == wanted.name
        and told.get("namespace", namespace) == (wanted.namespace or namespace)
        and told.get("sectionName") == wanted.section_name
        and told.get("port") == wanted.port
        and told.get("kind", "Gateway") == wanted.kind
        and told.get("group", wanted.group) == wanted.group
    )


def _name(parent: ParentReference, namespace: str) -> str:
    name = f"{parent.namespace or namespace}/{parent.name}"
    return f"{name} ({parent.section_name})" if parent.section_name else name


def _draft(status: ConditionStatus, reason: TrafficReason, message: str) -> Draft:
    return Draft(ConditionType.TRAFFIC_APPLIED, status, reason, message)
