"""The words of a federation state: what is wrong, and what mends it."""

from .records import secret_name
from .report import Key


def registered(neuron_id: str) -> str:
    """All is well."""
    return f"The federation core has {neuron_id} registered and takes its heartbeats."


def held_back() -> str:
    """No new id while tokens cannot be kept."""
    return (
        "Registration waits, since the operator can not save tokens and an id is registered only once; "
        "look at the operator's log and its right to write Secrets in its namespace."
    )


def unreachable(base_url: str, cause: str) -> str:
    """The core does not answer, or something else does."""
    return (
        f"The federation core at {base_url} {cause}. Serving is not affected and reporting is retried; "
        "check the operator's federation URL and the network between them."
    )


def taken(neuron_id: str, owner: Key) -> str:
    """Two neurons, one id."""
    return (
        f"spec.federation.neuronId: {neuron_id!r} is held by MLNeuron {owner[0]}/{owner[1]}; set another id, "
        "or delete that neuron."
    )


def invalid(call: str, said: str) -> str:
    """The core finds a value wrong."""
    return f"The core does not take the neuron's {call}: {said}. Correct the field that it names."


def registration_refused(neuron_id: str, said: str) -> str:
    """A bare 500 on register."""
    return (
        f"The core refuses to register {neuron_id} ({said}): most likely the id is registered already and its token is "
        f"not here. Restore the Secret {secret_name(neuron_id)} in the operator's namespace, or set another "
        "spec.federation.neuronId, or let the core's operator delete the id from its database."
    )


def token_rejected(neuron_id: str, said: str) -> str:
    """A 401 with a kept token, and a 500 on the one attempt to register anew."""
    return (
        f"The core rejects the token of {neuron_id} (it is over a year old, or the core's signing secret changed) and "
        f"gives no new one for an id that it knows ({said}). Set another spec.federation.neuronId, or let the core's "
        "operator delete the id from its database; then it registers by itself."
    )


def new_token_rejected(said: str) -> str:
    """A token that is refused right after it was given."""
    return f"The core gave a token and does not take it ({said}); look into the core's own log."
