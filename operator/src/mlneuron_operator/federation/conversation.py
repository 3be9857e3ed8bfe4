"""One id's talk with the core: each step calls the core, keeps the record, and says in the standing what came of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from . import messages, report
from .circuit import Circuit
from .client import FederationClient
from .neuron import Standing, Step, look, record_of
from .outcomes import (
    Accepted,
    HeartbeatOutcome,
    Invalid,
    NotKnown,
    Registered,
    RegistrationRefused,
    Taken,
    Unauthorized,
    Unreachable,
)
from .records import TokenRecord
from .report import NeuronFacts
from .schedule import REFUSAL, TROUBLE, Backoff, Pace, next_slot
from .state import FederationReason, FederationState
from .vault import TokenVault, trouble

log = structlog.get_logger(__name__)

MIN_INTERVAL = 5.0
MAX_INTERVAL = 3600.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Monotonic seconds for waiting, seconds since the epoch for telling."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]


class Conversation:
    """Talks for any id; one id must not be talked for twice at a time."""

    def __init__(
        self,
        client: FederationClient,
        vault: TokenVault,
        circuit: Circuit,
        clock: Clock,
        pace: Pace,
        rng: random.Random,
    ) -> None:
        self._client = client
        self._vault = vault
        self._circuit = circuit
        self._clock = clock
        self._pace = pace
        self._rng = rng
        self._events_refused = False
        """It was logged that the core takes no events, which is once enough."""

    async def take(self, step: Step, standing: Standing) -> None:
        """Take one step; none when the neuron came or went since it was chosen."""
        facts = standing.facts
        if step is Step.REGISTER and facts is not None:
            await self._register(standing, facts, FederationReason.REGISTRATION_REFUSED)
        elif step is Step.HEARTBEAT and facts is not None:
            await self._report(standing, facts)
        elif step is Step.GOODBYE and facts is None:
            await self._goodbye(standing)
        elif step is Step.SAVE:
            await self._keep(standing)

    async def _report(self, standing: Standing, facts: NeuronFacts) -> None:
        assert standing.record is not None  # noqa: S101 - what Step.HEARTBEAT means
        record = record_of(facts, standing.record)
        if record is not standing.record or standing.unsaved:
            standing.record, standing.unsaved = record, True
            await self._keep(standing)
        outcome = await self._heartbeat(standing, facts, record.token)
        if isinstance(outcome, Unauthorized):
            standing.rejected = True
            await self._register(standing, facts, FederationReason.TOKEN_REJECTED)
        elif isinstance(outcome, NotKnown):
            log.warning("core lost its database, registering again", neuron_id=standing.neuron_id)
            await self._register(standing, facts, FederationReason.REGISTRATION_REFUSED)

    async def _register(self, standing: Standing, facts: NeuronFacts, if_refused: FederationReason) -> None:
        wrong = report.problem(facts)
        if wrong is not None:
            self._refused(standing, FederationReason.INVALID_REPORT, wrong)
            return
        outcome = await self._client.register(report.registration(facts))
        if self._lost(standing, outcome):
            return
        if isinstance(outcome, Registered):
            await self._welcome(standing, facts, outcome.token)
        elif isinstance(outcome, RegistrationRefused):
            rejected = if_refused is FederationReason.TOKEN_REJECTED
            words = messages.token_rejected if rejected else messages.registration_refused
            self._refused(standing, if_refused, words(standing.neuron_id, outcome.message))
        elif isinstance(outcome, Invalid):
            self._refused(standing, FederationReason.INVALID_REPORT, messages.invalid("registration", outcome.message))

    async def _welcome(self, standing: Standing, facts: NeuronFacts, token: str) -> None:
        """Keep the token before anything else, then speak at once: until then the core holds the neuron inactive."""
        namespace, name = facts.key
        standing.record = TokenRecord(standing.neuron_id, token, namespace, name, facts.uid)
        standing.unsaved, standing.rejected = True, False
        log.info("neuron registered", neuron_id=standing.neuron_id, namespace=namespace, name=name)
        await self._keep(standing)
        outcome = await self._heartbeat(standing, facts, token)
        if isinstance(outcome, Unauthorized | NotKnown):
            message = messages.new_token_rejected(outcome.message)
            self._refused(standing, FederationReason.TOKEN_REJECTED, message)

    async def _heartbeat(self, standing: Standing, facts: NeuronFacts, token: str) -> HeartbeatOutcome:
        """Send one; what the caller has no better word for is settled here."""
        standing.spoke_at = self._clock.monotonic()
        outcome = await self._client.heartbeat(token, report.heartbeat(facts, self._clock.wall()))
        if self._lost(standing, outcome):
            return outcome
        if isinstance(outcome, Accepted):
            self._heard(standing, facts, outcome)
            await self._tell_harm(standing, facts, token)
        elif isinstance(outcome, Invalid):
            self._refused(standing, FederationReason.INVALID_REPORT, messages.invalid("heartbeat", outcome.message))
        return outcome

    async def _tell_harm(self, standing: Standing, facts: NeuronFacts, token: str) -> None:
        """Report each rollback for harm as an event, once. What becomes of it matters little: every heartbeat says it
        too, while it stands."""
        unsaid = facts.harms - standing.told
        standing.told = facts.harms
        if not unsaid:
            return
        outcome = await self._client.analytics(token, report.harm_events(facts))
        if not isinstance(outcome, Taken) and not self._events_refused:
            self._events_refused = True
            log.warning("core takes no events, heartbeats tell them", cause=outcome.message)

    async def _goodbye(self, standing: Standing) -> None:
        """Say it, for a bounded time; any answer but silence ends it, since no other word would do better."""
        assert standing.record is not None  # noqa: S101 - what Step.GOODBYE means
        body = report.goodbye(standing.last_facts, self._clock.wall())
        outcome = await self._client.heartbeat(standing.record.token, body)
        unheard = self._lost(standing, outcome)
        if standing.facts is not None:
            return  # it came back meanwhile
        if not unheard:
            if not isinstance(outcome, Accepted):
                log.warning("goodbye not taken", neuron_id=standing.neuron_id, outcome=type(outcome).__name__)
            await self.depart(standing)

    async def depart(self, standing: Standing) -> None:
        """Mark the id as gone. Its token stays: the id can never be registered again."""
        assert standing.record is not None  # noqa: S101 - nobody departs who never came
        standing.record = replace(standing.record, departed_at=float(int(self._clock.wall())))
        standing.unsaved, standing.failures = True, 0
        await self._keep(standing)

    async def _keep(self, standing: Standing) -> None:
        """Save the record; a failure is retried with the next step, and holds back new registrations until then."""
        record = standing.record
        if record is None:
            return
        try:
            await self._vault.save(record)
        except Exception as error:  # whatever the cluster client raises, the record must not be lost
            standing.unsaved = True
            log.error("token not saved", neuron_id=standing.neuron_id, error=trouble(error))
            self._later(standing, TROUBLE)
        else:
            standing.unsaved = standing.record is not record

    def _heard(self, standing: Standing, facts: NeuronFacts, accepted: Accepted) -> None:
        wall = self._clock.wall()
        standing.heard_at, standing.heard_wall = self._clock.monotonic(), wall
        standing.look, standing.rejected = look(facts), False
        interval = min(MAX_INTERVAL, max(MIN_INTERVAL, accepted.next_heartbeat or self._pace.heartbeat))
        slot = standing.heard_at + next_slot(standing.neuron_id, interval, wall, spoke=True)
        if standing.unsaved:
            standing.due = min(standing.due, slot)
        else:
            standing.due, standing.failures = slot, 0
        self.say(standing, FederationReason.REGISTERED, True, messages.registered(standing.neuron_id))

    def _lost(self, standing: Standing, outcome: object) -> bool:
        """Tell the circuit what a call met, and settle the matter when that was no core."""
        if not isinstance(outcome, Unreachable):
            self._circuit.answered()
            return False
        self._circuit.failed(self._clock.monotonic(), outcome.message)
        self._later(standing, TROUBLE)
        if standing.facts is not None:
            self.unheard(standing, outcome.message)
        return True

    def unheard(self, standing: Standing, cause: str) -> None:
        """Say that the core is unreachable, once this has lasted; the words stay while the outage does."""
        now = self._clock.monotonic()
        if standing.heard_at is not None and now - standing.heard_at < self._pace.silence:
            return
        if standing.state is not None and standing.state.reason is FederationReason.CORE_UNREACHABLE:
            return
        message = messages.unreachable(self._client.base_url, cause)
        self.say(standing, FederationReason.CORE_UNREACHABLE, False, message)

    def _refused(self, standing: Standing, reason: FederationReason, message: str) -> None:
        self._later(standing, REFUSAL)
        if standing.state is None or standing.state.reason is not reason:
            log.warning("federation refuses", neuron_id=standing.neuron_id, reason=reason.value, message=message)
        self.say(standing, reason, False, message)

    def _later(self, standing: Standing, backoff: Backoff) -> None:
        standing.failures += 1
        standing.due = self._clock.monotonic() + backoff.delay(standing.failures, self._rng.random)

    def say(self, standing: Standing, reason: FederationReason, ready: bool | None, message: str) -> None:
        """Set the state; the reporter publishes it."""
        registered = standing.record is not None
        standing.state = FederationState(reason, ready, message, standing.neuron_id, standing.heard_wall, registered)
