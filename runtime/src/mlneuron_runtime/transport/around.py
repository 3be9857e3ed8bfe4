"""What goes on around every request for a prediction, where the configuration asks for it. What it does not ask for
is not there at all: an endpoint with nothing around it is handed back as it came.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.payloads import PayloadLog
from mlneuron_runtime.tallies import PROTOCOL
from mlneuron_runtime.transport.auth import Guarded, Tokens
from mlneuron_runtime.transport.captured import Captured


@dataclass(frozen=True, slots=True)
class Around:
    """One a process, shared by its transports."""

    plane: DataPlane
    tokens: Tokens | None = None
    payloads: PayloadLog | None = None

    @classmethod
    def of(cls, plane: DataPlane) -> "Around":
        """As `serving` says."""
        serving, neuron = plane.config.serving, plane.config.neuron
        wanted = serving.payload_log
        return cls(
            plane,
            tokens=None if serving.token_file is None else Tokens(Path(serving.token_file)),
            payloads=None if wanted is None else PayloadLog(wanted, neuron, plane.telemetry.tallies),
        )

    def __call__(self, endpoint: ASGIApp, protocol: str) -> ASGIApp:
        """The endpoint with everything around it; `protocol` is one of `tallies.PROTOCOLS`. What a caller without a
        token sends is not worth logging.
        """
        if self.payloads is not None:
            endpoint = Captured(endpoint, self.payloads, self.plane, protocol)
        if self.tokens is not None:
            endpoint = Guarded(endpoint, self.tokens, self.plane, PROTOCOL[protocol])
        return endpoint

    def each(self, endpoints: Mapping[str, ASGIApp], protocol: str) -> dict[str, ASGIApp]:
        """The same for several, by their paths."""
        return {path: self(endpoint, protocol) for path, endpoint in endpoints.items()}
