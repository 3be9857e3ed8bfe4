"""The way in through a Gateway: an HTTPRoute, whose weights split the requests between the variants."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..api.access import ParentReference
from ..api.names import PRIMARY, variant_name
from ..api.workload import Workload
from .meta import metadata

Object = dict[str, Any]

GIVEN: Final = "X-Mlneuron-Split"
"""The header that tells a pod that a request is split already: it answers and counts it."""

NAMED: Final = "X-Neuron-Variant"
"""The header by which a caller names a variant."""

WHOLE: Final = 10_000
"""Of weights: hundredths of a percent, as shares are."""


def http_route(workload: Workload, shares: Mapping[str, int], variants: Sequence[str]) -> Object | None:
    """The route that ``spec.route.gateway`` asks for; ``shares`` in hundredths of a percent, by who answers.

    Besides the weights it has rules for what the front door alone knows to answer: how predictions turned out, and who
    names a variant. Each rule has one match, since only such a one may strip the path.
    """
    route = workload.spec.route
    if route is None or route.gateway is None:
        return None
    primary = _backends(workload, {PRIMARY: WHOLE})
    rules = [_rule(route.path, _backends(workload, shares or {PRIMARY: WHOLE}), split=bool(variants))]
    if variants:
        rules.append(_rule(route.path, primary, below="/feedback"))
        rules += [_rule(route.path, primary, named=name) for name in (PRIMARY, *sorted(variants))]
    parents = [_parent(reference) for reference in route.gateway.parent_refs]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": metadata(workload, workload.name, route.annotations),
        "spec": {"parentRefs": parents, "hostnames": [route.host], "rules": rules},
    }


def _parent(reference: ParentReference) -> Object:
    return reference.model_dump(mode="json", by_alias=True, exclude_none=True)


def _backends(workload: Workload, shares: Mapping[str, int]) -> list[Object]:
    return [
        {"group": "", "kind": "Service", "name": _service(workload, name), "port": 80, "weight": share}
        for name, share in shares.items()
        if share
    ]


def _service(workload: Workload, name: str) -> str:
    return workload.name if name == PRIMARY else variant_name(workload.name, name)


def _rule(
    path: str, backends: list[Object], *, below: str = "", named: str | None = None, split: bool = False
) -> Object:
    prefix = path.rstrip("/")
    match: Object = {"path": {"type": "PathPrefix", "value": prefix + below or "/"}}
    if named is not None:
        match["headers"] = [{"type": "Exact", "name": NAMED, "value": named}]
    filters: list[Object] = []
    if split:
        mark = {"set": [{"name": GIVEN, "value": "gateway"}]}
        filters.append({"type": "RequestHeaderModifier", "requestHeaderModifier": mark})
    if prefix:
        stripped = {"type": "ReplacePrefixMatch", "replacePrefixMatch": below or "/"}
        filters.append({"type": "URLRewrite", "urlRewrite": {"path": stripped}})
    return {"matches": [match], **({"filters": filters} if filters else {}), "backendRefs": backends}
