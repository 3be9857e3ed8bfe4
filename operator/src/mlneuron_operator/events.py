"""Events about neurons and variants, for ``kubectl describe``; only on transitions, never in place of status."""

from datetime import UTC, datetime
from typing import Any

import structlog

from .api.names import API_VERSION, MANAGER
from .cluster import ApiError, Cluster
from .conditions import Notice
from .engine.store import Key
from .kinds import EVENT, Kind

log = structlog.get_logger(__name__)

_MAX_NOTE = 1000
"""The API server refuses longer notes (events.k8s.io, 1 kB)."""


class EventRecorder:
    """Writes events under the name of this operator process."""

    def __init__(self, cluster: Cluster, instance: str) -> None:
        self._cluster = cluster
        self._instance = instance

    async def record(self, kind: Kind, key: Key, uid: str, notice: Notice, now: datetime | None = None) -> None:
        """Write the event; one that can't be written is logged and lost, since status tells the same."""
        namespace, name = key
        try:
            await self._cluster.create(EVENT, namespace, event(kind, name, namespace, uid, notice, self._instance, now))
        except ApiError as error:
            log.warning("event not written", name=name, namespace=namespace, error=str(error))


def event(
    kind: Kind, name: str, namespace: str, uid: str, notice: Notice, instance: str, now: datetime | None = None
) -> dict[str, Any]:
    """The event as an API object."""
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.name,
        "metadata": {"generateName": f"{name}-", "namespace": namespace},
        "eventTime": (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": MANAGER,
        "reportingInstance": instance[:128],
        "type": "Warning" if notice.warning else "Normal",
        "reason": notice.reason,
        "action": "Reconcile",
        "note": notice.note[:_MAX_NOTE],
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": kind.name,
            "name": name,
            "namespace": namespace,
            "uid": uid,
        },
    }
