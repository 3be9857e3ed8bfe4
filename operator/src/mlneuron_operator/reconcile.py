"""Reconciling one neuron, level-triggered: gather, decide, apply, write status."""

import time
from collections.abc import Callable
from typing import Any

import structlog
from pydantic import ValidationError

from .align import Aligner
from .api.names import API_VERSION, NEURON_KIND
from .api.neuron import MLNeuron
from .api.status import Reason
from .cluster import ApiError, Cluster
from .conditions import notices
from .desired import desired_state
from .desired.source import unpinned
from .engine.store import Key, Store
from .events import EventRecorder
from .federation.board import FederationBoard
from .kinds import NEURON, WATCHED_KINDS
from .observation import Observation, wanted_replicas
from .outcome import Stalled
from .settings import Settings
from .status import Told, derive, invalid, rfc3339
from .telemetry import Telemetry
from .verdict import Situation

log = structlog.get_logger(__name__)

Object = dict[str, Any]


_UNPINNED = (
    "spec.model.sha256 is not set, and this installation serves no model that can run code without it: set it to the "
    "first word that sha256sum FILE prints, or serve the model as onnx"
)


class Reconciler:
    """Makes one neuron as it should be. Holds no progress: everything that it needs is in the store."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        settings: Settings,
        telemetry: Telemetry,
        board: FederationBoard,
        now: Callable[[], str] = lambda: rfc3339(time.time()),
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._settings = settings
        self._telemetry = telemetry
        self._board = board
        self._now = now
        self._aligner = Aligner(cluster, store)
        self._events = EventRecorder(cluster, settings.identity)

    async def reconcile(self, key: Key) -> str:
        """Reconcile; the outcome in one word. Raises ApiError where trying again may help."""
        obj = self._store.neuron(key)
        if obj is None or "deletionTimestamp" in obj["metadata"]:
            self._telemetry.forget(key)
            self._board.forget(key)
            return "gone"
        try:
            neuron = MLNeuron.parse(obj)
        except (ValidationError, ValueError) as error:
            self._board.skip(key)
            await self._write(
                key, obj, invalid(obj["metadata"]["generation"], explain(error), obj["status"], self._now())
            )
            return "invalid"
        situation = await self._align(neuron)
        await self._report(situation, obj)
        return "stalled" if situation.fault else "ok"

    async def _align(self, neuron: MLNeuron) -> Situation:
        """Make the children as they should be; where things stand then."""
        observation, fault = self._observe(neuron.key), None
        if self._settings.require_model_digest and unpinned(neuron.spec.model):
            return Situation(neuron, observation, Stalled(Reason.SPEC_INVALID, _UNPINNED))
        replicas = wanted_replicas(neuron, observation.deployment(neuron.name))
        desired = desired_state(neuron, self._settings.images, replicas)
        try:
            if not await self._aligner.align(neuron, desired, observation):
                return Situation(neuron, observation)
        except Stalled as stalled:
            fault = stalled
        return Situation(neuron, self._observe(neuron.key), fault)

    def _observe(self, key: Key) -> Observation:
        return Observation.of(self._store.owned(key, WATCHED_KINDS))

    async def _report(self, situation: Situation, obj: Object) -> None:
        """Derive status from what is now, write it if it differs, and tell who else wants to know."""
        neuron, observation = situation.neuron, situation.observation
        told = Told(
            samples=self._telemetry.samples(neuron.key, situation.current_pods, observation.ready_pods),
            federated=self._board.federates(neuron),
            federation=self._board.state(neuron.key),
        )
        status = derive(situation, told, obj["status"], self._now())
        await self._write(neuron.key, obj, status)
        self._board.post(neuron, status, told.samples, obj["metadata"].get("creationTimestamp", ""))

    async def _write(self, key: Key, obj: Object, status: Object) -> None:
        if status == obj["status"]:
            return
        meta = obj["metadata"]
        body = {
            "apiVersion": API_VERSION,
            "kind": NEURON_KIND,
            "metadata": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
            "status": status,
        }
        try:
            self._store.put(NEURON, await self._cluster.apply_status(body))
        except ApiError as error:
            if error.status in {404, 409}:  # deleted, or made anew, since it was read
                return
            raise
        for notice in notices(obj["status"].get("conditions", ()), status["conditions"]):
            await self._events.record(key, meta["uid"], notice)


def explain(error: ValidationError | ValueError) -> str:
    """What is wrong with a spec, field by field, for a person."""
    if not isinstance(error, ValidationError):
        return str(error)
    faults = [f"spec.{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_url=False)]
    return "; ".join(faults[:5])
