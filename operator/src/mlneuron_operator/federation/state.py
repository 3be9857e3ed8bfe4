"""What the operator says of a neuron's reporting: the material of its condition FederationReady."""

from dataclasses import dataclass
from enum import StrEnum

REFRESH_SECONDS = 300.0
"""How far the last heartbeat moves before it alone is worth a status write."""


class FederationReason(StrEnum):
    """Why FederationReady is as it is; docs/federation.md says of each what mends it."""

    REGISTERED = "Registered"
    """The core knows the neuron and takes its heartbeats."""
    REGISTERING = "Registering"
    """Not registered yet, and nothing is wrong at the core; also the reason while no state was published."""
    CORE_UNREACHABLE = "CoreUnreachable"
    """The core does not answer, or something else answers in its place. Retried."""
    REGISTRATION_REFUSED = "RegistrationRefused"
    """The core answered 500 to the registration: most often its id is registered already and its token lost."""
    TOKEN_REJECTED = "TokenRejected"  # noqa: S105 - the name of a state, no secret
    """The core takes the kept token no more, and gives no new one for an id it knows."""
    NEURON_ID_TAKEN = "NeuronIdTaken"
    """Another MLNeuron of this cluster reports under the same id."""
    INVALID_REPORT = "InvalidReport"
    """The core, or the operator before it, finds a value of this neuron wrong."""


@dataclass(frozen=True, slots=True)
class FederationState:
    """The state of one neuron's reporting; ready None is a condition's Unknown."""

    reason: FederationReason
    ready: bool | None
    message: str
    neuron_id: str
    last_heartbeat: float | None = None
    """Seconds since the epoch, of the last heartbeat that the core took."""
    registered: bool = False


def worth_publishing(before: FederationState | None, after: FederationState) -> bool:
    """Whether the step from one state to the next is worth a write of the neuron's status."""
    if before is None:
        return True
    if before.last_heartbeat is None or after.last_heartbeat is None:
        moved = before.last_heartbeat != after.last_heartbeat
    else:
        moved = after.last_heartbeat - before.last_heartbeat > REFRESH_SECONDS
    told = (before.reason, before.ready, before.message, before.neuron_id, before.registered)
    return moved or told != (after.reason, after.ready, after.message, after.neuron_id, after.registered)
