"""Reconciling one neuron with its variants, level-triggered: gather, decide, apply, write status."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import structlog
from pydantic import ValidationError

from . import variant_status
from .align import Aligner
from .api.names import ANNOTATION_TRAFFIC, PRIMARY
from .api.neuron import MLNeuron
from .api.status import Reason
from .api.workload import Workload
from .cluster import ApiError, Cluster
from .desired import desired_state
from .desired.source import unpinned
from .engine.store import Key, Store
from .federation.board import FederationBoard, variant_facts
from .federation.report import VariantFacts
from .kinds import NEURON, POD, VARIANT, WATCHED_KINDS, Kind
from .looks import Looks, Rolling
from .observation import Observation, wanted_replicas
from .outcome import Stalled
from .passage import passage
from .rolling import LOOK_SECONDS, direct_readings_of, readings_of
from .rollout.ledger import Reading
from .settings import Settings
from .settling import Settling
from .spread import applied, spreading
from .status import Told, derive, invalid, rfc3339
from .telemetry import Telemetry
from .traffic import Split, split
from .variant_status import Heard, waiting
from .variants import Contender, contenders, plain_share, standing_table
from .verdict import Situation
from .writer import StatusWriter

log = structlog.get_logger(__name__)

Object = dict[str, Any]

SPREADING_SECONDS: Final = 2.0
"""How often pods are asked for the table that they have, until all have the newest."""


_UNPINNED = (
    "spec.model.sha256 is not set, and this installation serves no model that can run code without it: set it to the "
    "first word that sha256sum FILE prints, or serve the model as onnx"
)


class Reconciler:
    """Makes one neuron and its variants as they should be. Holds no progress: all that it needs is in the store."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        settings: Settings,
        telemetry: Telemetry,
        board: FederationBoard,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._settings = settings
        self._telemetry = telemetry
        self._board = board
        self._clock = clock
        self._aligner = Aligner(cluster, store)
        self._looks = Looks()
        self._settling = Settling()
        self._writer = StatusWriter(cluster, store, settings.identity)

    async def reconcile(self, key: Key) -> str:
        """Reconcile; the outcome in one word. Raises ApiError where trying again may help."""
        obj = self._store.neuron(key)
        if obj is None or "deletionTimestamp" in obj["metadata"]:
            self._telemetry.forget(key)
            self._board.forget(key)
            self._looks.retain(key, ())
            await self._orphan(key)
            return "gone"
        try:
            neuron = MLNeuron.parse(obj)
        except (ValidationError, ValueError) as error:
            self._board.skip(key)
            await self._refuse(NEURON, obj, error)
            return "invalid"
        return await self._reconcile(neuron, obj)

    async def _reconcile(self, neuron: MLNeuron, obj: Object) -> str:
        """The variants' objects first, so that the front door is told of no Service that is not there."""
        observations = Observation.by_variant(self._store.owned(neuron.key, WATCHED_KINDS))
        found, wrong = contenders(self._variants(neuron.key), neuron, observations)
        for each, error in wrong:
            await self._refuse(VARIANT, each, error)
        primary = observations[PRIMARY]
        made = [await self._make(one) for one in found]
        found = [replace(one, observation=where.observation) for one, (where, _) in zip(found, made, strict=True)]
        table = standing_table(neuron, primary)
        serving = {one.variant.name for one in found if self._settling.settled(one, table, time.monotonic())}
        judged = {one.variant.name for one, (where, _) in zip(found, made, strict=True) if where.newest_alone_serves}
        rollings = self._look(neuron, primary, found, serving & judged)
        competing = [
            one.competes(_share(one, rollings.get(one.variant.name)), ready=one.variant.name in serving)
            for one in found
        ]
        now = split(neuron, competing, bool(primary.ready_pods), table)
        situation = await self._align(neuron, primary, front=now.front, table=now.table, shares=now.shares)
        await self._announce(now, situation.observation)
        told = [
            await self._tell(one, where, now, rollings.get(one.variant.name))
            for one, (where, _) in zip(found, made, strict=True)
        ]
        spread = await self._report(neuron, situation, now, obj, told)
        settling = any(one.ready and one.variant.name not in serving for one in found)
        self._keep_pace(neuron.key, spread or settling, rollings)
        failed = next((error for _, error in made if error is not None), None)
        if failed is not None:
            raise failed
        return "stalled" if any((situation.fault, *(where.fault for where, _ in made))) else "ok"

    def _keep_pace(self, key: Key, hurry: bool, rollings: Mapping[str, Rolling]) -> None:
        """Come back soon where something is under way."""
        looking = any(rolling.state.looking for rolling in rollings.values())
        self._telemetry.pace(key, SPREADING_SECONDS if hurry else LOOK_SECONDS if looking else None)

    async def _make(self, one: Contender) -> tuple[Situation, ApiError | None]:
        """Make a variant's objects; what goes wrong with one is no other's trouble."""
        try:
            return await self._align(one.workload, one.observation), None
        except ApiError as error:
            return Situation(one.workload, one.observation), error

    async def _refuse(self, kind: Kind, obj: Object, error: ValueError) -> None:
        """Say of an object that it can't be understood."""
        status = invalid(obj["metadata"]["generation"], explain(error), obj["status"], self._now())
        await self._writer.write(kind, obj, status)

    def _look(
        self, neuron: MLNeuron, primary: Observation, found: Sequence[Contender], serving: Collection[str]
    ) -> dict[str, Rolling]:
        """The rollouts as they are after a look at what the pods counted, by their variants' names. ``serving`` are the
        variants for which pods of their newest revision alone answer: the last model must not be judged as the new one.
        """
        rolled_out = {one.variant.uid for one in found if one.variant.spec.rollout is not None}
        self._looks.retain(neuron.key, rolled_out)
        rollings: dict[str, Rolling] = {}
        for one in found:
            name, counting = one.variant.name, [primary, one.observation] if neuron.behind_gateway else [primary]
            rolling = self._looks.look(
                one.variant,
                one.obj["status"],
                serving=name in serving and bool(primary.ready_pods),
                readings=self._readings(neuron.key, name, *counting),
                present=frozenset(pod["metadata"]["uid"] for where in counting for pod in where.pods),
                now=self._clock(),
            )
            if rolling is not None:
                rollings[name] = rolling
        return rollings

    def _readings(self, key: Key, name: str, primary: Observation, own: Observation | None = None) -> list[Reading]:
        """What the front door counted of a variant, and the variant's own pods of what a Gateway gave to them."""
        doors = readings_of(name, primary.ready_pods, self._telemetry.heard(key, primary.ready_pods))
        pods = own.ready_pods if own else []
        return [*doors, *direct_readings_of(name, pods, self._telemetry.heard(key, pods))]

    async def _tell(self, one: Contender, situation: Situation, now: Split, rolling: Rolling | None) -> VariantFacts:
        """Write a variant's status; what of it the federation core is told."""
        current, ready = situation.current_pods, situation.observation.ready_pods
        samples = self._telemetry.samples(one.variant.neuron_key, current, ready)
        heard = Heard(now, samples, rolling.rolled if rolling else None)
        status = variant_status.derive(one.variant, situation, heard, one.obj["status"], self._now())
        await self._writer.write(VARIANT, one.obj, status)
        return variant_facts(one.variant, status)

    async def _orphan(self, key: Key) -> None:
        """A variant without its neuron has nothing to serve for: it waits, without pods."""
        observations = Observation.by_variant(self._store.owned(key, WATCHED_KINDS))
        for obj in self._variants(key):
            meta = obj["metadata"]
            if "deletionTimestamp" in meta:
                continue
            if meta["name"] in observations:
                await self._aligner.clear(meta["uid"], observations[meta["name"]])
            status = waiting(meta["generation"], key, obj["status"], self._now())
            await self._writer.write(VARIANT, obj, status)

    async def _align(self, workload: Workload, observation: Observation, **traffic: Any) -> Situation:
        """Make the children as they should be; where things stand then."""
        if self._settings.require_model_digest and unpinned(workload.spec.model):
            return Situation(workload, observation, Stalled(Reason.SPEC_INVALID, _UNPINNED))
        replicas = wanted_replicas(workload, observation.deployment(workload.name))
        desired = desired_state(workload, self._settings.images, replicas, **traffic)
        fault = None
        try:
            if not await self._aligner.align(workload, desired, observation):
                return Situation(workload, observation)
        except Stalled as stalled:
            fault = stalled
        return Situation(workload, self._observe(workload), fault)

    def _observe(self, workload: Workload) -> Observation:
        owned = self._store.owned((workload.namespace, workload.neuron_name), WATCHED_KINDS)
        return Observation.by_variant(owned).get(workload.variant) or Observation({}, ())

    def _variants(self, key: Key) -> list[Object]:
        owned = self._store.owned(key, (VARIANT,))
        return [owned[ref] for ref in sorted(owned, key=lambda ref: ref[1])]

    async def _announce(self, now: Split, primary: Observation) -> None:
        """Tell the nodes of the front door's pods that there is a new table: the pods have it within seconds then."""
        for pod in primary.pods if now.revision else ():
            if pod["traffic"] == now.revision:
                continue
            meta = pod["metadata"]
            mark = {ANNOTATION_TRAFFIC: str(now.revision)}
            try:
                told = await self._cluster.annotate(POD, meta["namespace"], meta["name"], mark)
            except ApiError as error:
                log.warning("pod not told of its traffic", pod=meta["name"], error=str(error))
                continue
            if told is not None:
                self._store.put(POD, told)

    async def _report(
        self, neuron: MLNeuron, situation: Situation, now: Split, obj: Object, variants: Sequence[VariantFacts]
    ) -> bool:
        """Derive status from what is now, write it if it differs, and tell who else wants to know; whether pods of the
        front door are still to get the table."""
        ready = situation.observation.ready_pods
        draft = applied(now, self._telemetry.heard(neuron.key, ready), passage(neuron, situation))
        told = Told(
            samples=self._telemetry.samples(neuron.key, situation.current_pods, ready),
            split=now,
            traffic=draft,
            federated=self._board.federates(neuron),
            federation=self._board.state(neuron.key),
        )
        status = derive(situation, told, obj["status"], self._now())
        await self._writer.write(NEURON, obj, status)
        self._board.post(neuron, status, told.samples, obj["metadata"].get("creationTimestamp", ""), variants)
        return spreading(draft)

    def _now(self) -> str:
        return rfc3339(self._clock())


def _share(one: Contender, rolling: Rolling | None) -> int:
    return plain_share(one.variant) if rolling is None else rolling.share


def explain(error: ValidationError | ValueError) -> str:
    """What is wrong with a spec, field by field, for a person."""
    if not isinstance(error, ValidationError):
        return str(error)
    faults = [f"spec.{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_url=False)]
    return "; ".join(faults[:5])
