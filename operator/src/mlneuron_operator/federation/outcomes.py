"""What can become of a call to the core. Tokens are never part of a message, nor of a repr."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Registered:
    """A new entry, with the token that is given only this once."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A heartbeat was taken."""

    next_heartbeat: float | None
    """Seconds, where the core asks for a rhythm of its own."""
    pending_commands: int


@dataclass(frozen=True, slots=True)
class RegistrationRefused:
    """A 500: most often the id is registered already, which the core does not say."""

    message: str


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """The token is wrong, expired, or signed with a secret that the core no longer has."""

    message: str


@dataclass(frozen=True, slots=True)
class NotKnown:
    """The token is good and the neuron is not there: the core lost its database."""

    message: str


@dataclass(frozen=True, slots=True)
class Invalid:
    """The core finds something wrong with this body."""

    message: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No answer, or none that a federation core in working order would give."""

    message: str


@dataclass(frozen=True, slots=True)
class Taken:
    """An analytics report was taken."""


RegisterOutcome = Registered | RegistrationRefused | Invalid | Unreachable
HeartbeatOutcome = Accepted | Unauthorized | NotKnown | Invalid | Unreachable
AnalyticsOutcome = Taken | Invalid | Unreachable
