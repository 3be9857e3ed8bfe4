"""What goes on around every request for a prediction, where the configuration asks for it. What it does not ask for
is not there at all: an endpoint with nothing around it is handed back as it came.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from mlneuron_runtime import settings
from mlneuron_runtime.dataplane import PRIMARY, DataPlane
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.tallies import PROTOCOL
from mlneuron_runtime.transport.auth import Guarded, Tokens

if TYPE_CHECKING:
    from mlneuron_runtime.payloads import PayloadLog
    from mlneuron_runtime.tracing import Tracing
    from mlneuron_runtime.traffic.marks import Marks
    from mlneuron_runtime.traffic.traffic import Traffic


@dataclass(frozen=True, slots=True)
class Around:
    """One a process, shared by its transports."""

    plane: DataPlane
    tokens: Tokens | None = None
    payloads: "PayloadLog | None" = None
    tracing: "Tracing | None" = None
    traffic: "Traffic | None" = None

    @classmethod
    def of(cls, plane: DataPlane) -> "Around":
        """As `serving` and the environment say."""
        path, exporter = plane.config.serving.token_file, settings.traces()
        return cls(
            plane,
            tokens=None if path is None else Tokens(Path(path)),
            payloads=payload_log(plane),
            tracing=None if exporter is None else tracing(plane, exporter),
            traffic=traffic(plane),
        )

    @property
    def is_bare(self) -> bool:
        """Whether nothing goes on around a request, unless variants compete."""
        return self.tokens is None and self.payloads is None and self.tracing is None

    def __call__(self, endpoint: ASGIApp, protocol: str, path: str) -> ASGIApp:
        """The endpoint with everything around it; `protocol` is one of `tallies.PROTOCOLS`. What a caller without a
        token sends is not worth logging.
        """
        if self.traffic is not None:
            from mlneuron_runtime.transport.split import Split

            endpoint = Split(endpoint, self.traffic, self.plane, protocol, self.passed_on)
        if self.payloads is not None:
            from mlneuron_runtime.transport.captured import Captured

            endpoint = Captured(endpoint, self.payloads, self.plane, protocol, self.passed_on)
        if self.tokens is not None:
            endpoint = Guarded(endpoint, self.tokens, self.plane, PROTOCOL[protocol])
        if self.tracing is not None:
            from mlneuron_runtime.transport.traced import Traced

            endpoint = Traced(endpoint, self.tracing, self.plane, protocol, path)
        return endpoint

    def guarded(self, endpoint: ASGIApp) -> ASGIApp:
        """For what is not a prediction, but for the same callers."""
        return endpoint if self.tokens is None else Guarded(endpoint, self.tokens, self.plane, PROTOCOL["guide"])

    def each(self, endpoints: Mapping[str, ASGIApp], protocol: str) -> dict[str, ASGIApp]:
        """The same for several, by their paths."""
        return {path: self(endpoint, protocol, path) for path, endpoint in endpoints.items()}

    def passed_on(self) -> Mapping[str, str]:
        """The headers by which whoever is called on behalf of the present request joins its trace."""
        return {} if self.tracing is None else self.tracing.passed_on()


def payload_log(plane: DataPlane) -> "PayloadLog | None":
    wanted = plane.config.serving.payload_log
    if wanted is None:
        return None
    from mlneuron_runtime.payloads import PayloadLog

    return PayloadLog(wanted, plane.config.neuron, plane.telemetry.tallies)


def traffic(plane: DataPlane) -> "Traffic | None":
    """What the process knows of the neuron's variants; None where it can have none. Called on the event loop."""
    path, identity = plane.config.serving.traffic_file, plane.config.neuron
    if path is None and identity.variant == PRIMARY:
        return None
    from mlneuron_runtime.traffic.traffic import Traffic

    def use(marks: "Marks | None") -> None:
        plane.marks = marks

    plane.traffic = Traffic(identity, None if path is None else Path(path), plane.telemetry.tallies, use)
    plane.traffic.start()
    return plane.traffic


def tracing(plane: DataPlane, exporter: settings.Exporter) -> "Tracing":
    """The process's spans, or Fatal where OpenTelemetry is not installed."""
    try:
        from mlneuron_runtime.tracing import Tracing, traced
    except ImportError as error:
        raise Fatal(
            Reason.CONFIG_INVALID,
            f"OTEL_* variables ask for traces, and {error.name} is not installed; install mlneuron-runtime[models], or "
            "set OTEL_SDK_DISABLED=true",
        ) from error
    spans = Tracing.into(exporter, plane.config)
    traced(plane, spans)
    return spans
