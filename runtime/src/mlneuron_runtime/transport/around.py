"""What goes on around every request for a prediction, where the configuration asks for it. What it does not ask for
is not there at all: an endpoint with nothing around it is handed back as it came.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.tallies import PROTOCOL
from mlneuron_runtime.transport.auth import Guarded, Tokens


@dataclass(frozen=True, slots=True)
class Around:
    """One a process, shared by its transports."""

    plane: DataPlane
    tokens: Tokens | None = None

    @classmethod
    def of(cls, plane: DataPlane) -> "Around":
        """As `serving` says."""
        serving = plane.config.serving
        return cls(plane, None if serving.token_file is None else Tokens(Path(serving.token_file)))

    def __call__(self, endpoint: ASGIApp, protocol: str) -> ASGIApp:
        """The endpoint with everything around it; `protocol` is one of `tallies.PROTOCOLS`."""
        if self.tokens is not None:
            endpoint = Guarded(endpoint, self.tokens, self.plane, PROTOCOL[protocol])
        return endpoint

    def each(self, endpoints: Mapping[str, ASGIApp], protocol: str) -> dict[str, ASGIApp]:
        """The same for several, by their paths."""
        return {path: self(endpoint, protocol) for path, endpoint in endpoints.items()}
