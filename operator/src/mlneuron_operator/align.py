"""Making what is into what is desired: the effects of a reconciliation on the children of a neuron or a variant."""

from collections.abc import Sequence
from typing import Any

import structlog

from .api.names import ANNOTATION_DESIRED, PRIMARY
from .api.status import Reason
from .api.workload import Workload
from .cluster import ApiError, Cluster
from .compare import covers
from .desired.meta import digest
from .engine.store import Store
from .kinds import CONFIG_MAP, OPTIONAL_KINDS, kind_of
from .observation import Object, Observation
from .outcome import Stalled

log = structlog.get_logger(__name__)

_REFUSALS = {400, 403, 413, 422}
"""Answers that trying again does not change: invalid, forbidden, too large."""


class Aligner:
    """Applies what has moved and prunes what is no longer desired."""

    def __init__(self, cluster: Cluster, store: Store) -> None:
        self._cluster = cluster
        self._store = store
        self._accepted: dict[str, str] = {}

    async def align(self, workload: Workload, desired: Sequence[Object], observation: Observation) -> bool:
        """Apply and prune; whether there was anything to do.

        Raises Stalled where a person must act, ApiError where trying again may help. An object of a kind that the
        cluster lacks, or that it refuses, holds up nothing else.
        """
        applied, refused = False, None
        for obj in desired:
            live = observation.children.get((kind_of(obj), obj["metadata"]["name"]))
            if live is None or self._moved(live, obj):
                try:
                    await self._apply(workload, obj, live)
                except Stalled as stalled:
                    if kind_of(obj) not in OPTIONAL_KINDS:
                        raise
                    refused = stalled
                applied = True
        if refused is not None:
            raise refused
        return await self._prune(workload, desired, observation) or applied

    def _moved(self, live: Object, desired: Object) -> bool:
        """Whether the live object is not as the operator last applied it, or is to become another one.

        An object that the server accepted in another form than it was asked for (an admission webhook's doing) is let
        be while it stays in that form; else the two would write for ever.
        """
        mark = desired["metadata"]["annotations"][ANNOTATION_DESIRED]
        if live["metadata"]["annotations"].get(ANNOTATION_DESIRED) != mark:
            return True
        if covers(live, _comparable(desired)):
            return False
        return self._accepted.get(live["metadata"]["uid"]) != _form(live)

    async def _apply(self, workload: Workload, obj: Object, live: Object | None) -> None:
        kind, name = kind_of(obj), obj["metadata"]["name"]
        try:
            applied = await self._applied(workload, obj, live)
        except ApiError as error:
            raise _refusal(workload, obj, error) or error from error
        self._store.put(kind, applied)
        kept = self._store.owned((workload.namespace, workload.neuron_name), (kind,)).get((kind, name))
        if kept is not None and not covers(kept, _comparable(obj)):
            self._accepted[kept["metadata"]["uid"]] = _form(kept)
            log.warning("the cluster changes what is applied", kind=kind.name, name=name, namespace=workload.namespace)
        log.info("applied", kind=kind.name, name=name, namespace=workload.namespace, created=live is None)

    async def _applied(self, workload: Workload, obj: Object, live: Object | None) -> Object:
        """Apply; by force to an object that is the neuron's, and not at all to one that is somebody else's.

        An object that is not in sight may be the neuron's own all the same, its labels overwritten by hand. And an
        apply merges lists by key, so that an item which somebody changed the key of stays beside the desired one, and
        the two may be invalid together (a Service's port under another number): then the lists are overwritten.
        """
        try:
            return await self._cluster.apply(obj, force=live is not None)
        except ApiError as error:
            if error.status == 409 and live is None and await self._is_own(workload, obj):
                return await self._cluster.apply(obj)
            if error.status != 422 or live is None:
                raise
        await self._cluster.overwrite(obj)
        return await self._cluster.apply(obj)

    async def _is_own(self, workload: Workload, obj: Object) -> bool:
        found = await self._cluster.get(kind_of(obj), workload.namespace, obj["metadata"]["name"])
        return found is not None and _owned(found["metadata"], workload.uid)

    async def clear(self, uid: str, observation: Observation) -> None:
        """Delete all children of an owner that has nothing to serve for."""
        for (kind, name), live in observation.children.items():
            meta = live["metadata"]
            if _owned(meta, uid) and "deletionTimestamp" not in meta:
                await self._cluster.delete(kind, meta["namespace"], name, meta["uid"])

    async def _prune(self, workload: Workload, desired: Sequence[Object], observation: Observation) -> bool:
        """Delete owned children that are not desired; configurations only once no pod was made with them."""
        pruned = False
        wanted = {(kind_of(obj), obj["metadata"]["name"]) for obj in desired}
        for (kind, name), live in observation.children.items():
            meta = live["metadata"]
            in_use = kind is CONFIG_MAP and name in observation.configs_in_use
            if (kind, name) in wanted or in_use or "deletionTimestamp" in meta or not _owned(meta, workload.uid):
                continue
            await self._cluster.delete(kind, workload.namespace, name, meta["uid"])
            log.info("pruned", kind=kind.name, name=name, namespace=workload.namespace)
            pruned = True
        return pruned


def _comparable(desired: Object) -> Object:
    return {key: value for key, value in desired.items() if key not in {"apiVersion", "kind"}}


def _form(live: Object) -> str:
    return digest({key: value for key, value in live.items() if key != "status"})


def _owned(meta: dict[str, Any], uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in meta.get("ownerReferences", ()))


def _word(workload: Workload) -> str:
    return "neuron" if workload.variant == PRIMARY else "variant"


def _refusal(workload: Workload, obj: Object, error: ApiError) -> Stalled | None:
    what = f"{obj['kind']} {workload.namespace}/{obj['metadata']['name']}"
    if error.status == 404 and kind_of(obj) in OPTIONAL_KINDS and "namespaces" not in error.message:
        return Stalled(
            Reason.GATEWAY_API_MISSING,
            f"spec.route.gateway: this cluster has no {obj['kind']} ({obj['apiVersion']}): install the Gateway API's "
            "CRDs and a controller for its Gateways, or use an Ingress (without gateway)",
        )
    if error.status == 409 and "conflict" in error.message.lower():
        return Stalled(
            Reason.NAME_TAKEN,
            f"{what} exists and is not this {_word(workload)}'s (it is not its owner): rename the {_word(workload)}, "
            "or delete that object",
        )
    if error.status in _REFUSALS and not (error.status == 403 and "being terminated" in error.message):
        return Stalled(Reason.CHILD_REFUSED, f"the cluster refuses {what}: {error.message}; mend the field it names")
    return None
