"""Writing statuses: one patch where one differs, and the events of what changed."""

from typing import Any

from .api.names import API_VERSION
from .cluster import ApiError, Cluster
from .conditions import notices
from .engine.store import Store
from .events import EventRecorder
from .kinds import Kind
from .rolling import progressed

Object = dict[str, Any]


class StatusWriter:
    """Writes the statuses of neurons and variants."""

    def __init__(self, cluster: Cluster, store: Store, instance: str) -> None:
        self._cluster = cluster
        self._store = store
        self._events = EventRecorder(cluster, instance)

    async def write(self, kind: Kind, obj: Object, status: Object) -> None:
        """Write the status of an object if it is not the one that it has."""
        if status == obj["status"]:
            return
        meta = obj["metadata"]
        body = {
            "apiVersion": API_VERSION,
            "kind": kind.name,
            "metadata": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
            "status": status,
        }
        try:
            self._store.put(kind, await self._cluster.apply_status(body))
        except ApiError as error:
            if error.status in {404, 409}:  # deleted, or made anew, since it was read
                return
            raise
        changed = notices(obj["status"].get("conditions", ()), status["conditions"])
        for notice in (*changed, *progressed(obj["status"], status)):
            await self._events.record(kind, (meta["namespace"], meta["name"]), meta["uid"], notice)
