"""How a reconciliation can end other than well, as exceptions that name the condition they become."""

from dataclasses import dataclass

from .api.status import Reason


@dataclass(frozen=True)
class Stalled(Exception):
    """The user must act; trying again before the neuron or what it names changes would not help."""

    reason: Reason
    message: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"
