"""One variant as the front door reaches it: its connections, its circuit, and what came of asking it."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from mlneuron_runtime.traffic.circuit import Circuit
from mlneuron_runtime.traffic.client import Client, Header, Response, Unreachable
from mlneuron_runtime.traffic.counters import Counters
from mlneuron_runtime.traffic.table import Variant

METHOD = "/inference.GRPCInferenceService/ModelInfer"

REASONS = {503: "unavailable", 504: "timeout"}
"""Of the statuses that are the variant's fault; all others from 500 on are `server_error`."""

CHANNEL_GRACE_SECONDS = 30.0

CHANNEL = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),  # gRPC's own two minutes would leave a variant that is back alone
]

GRPC_REASONS = {
    grpc.StatusCode.UNAVAILABLE: "unavailable", grpc.StatusCode.DEADLINE_EXCEEDED: "timeout",
    grpc.StatusCode.INTERNAL: "server_error", grpc.StatusCode.UNKNOWN: "server_error",
}  # fmt: skip
"""All others are the caller's fault, unless the primary thinks otherwise."""


class Fallen(Exception):
    """The variant gave no answer; `reason` is one of `counters.FALLBACKS`. `told` is its refusal, where it gave one;
    `seconds` went by until this was known.
    """

    def __init__(self, reason: str, told: Any = None) -> None:
        super().__init__(reason)
        self.reason, self.told = reason, told
        self.seconds = 0.0

    @property
    def refused(self) -> bool:
        """Which is a failure only if the primary does otherwise."""
        return self.reason == "refused"


@dataclass(slots=True)
class Remote:
    """In one process."""

    variant: Variant
    counters: Counters
    clock: Callable[[], float]
    circuit: Circuit = field(init=False)
    _client: Client = field(init=False)
    _channel: Any = None

    def __post_init__(self) -> None:
        self.circuit = Circuit(self.clock)
        self._client = Client(*self.variant.address)

    async def post(self, path: bytes, headers: Iterable[Header], body: bytes, seconds: float) -> Response:
        """A good answer of the variant's, or Fallen."""
        response: Response = await self._admitted(self._client.post(path, headers, body), seconds)
        if response.status < 300:
            self.circuit.succeeded()
            return response
        if response.status >= 500:
            self.circuit.failed()
            raise Fallen(REASONS.get(response.status, "server_error"), response)
        self.circuit.released()
        raise Fallen("refused", response)

    async def call(self, message: bytes, metadata: list[tuple[str, str]], seconds: float) -> tuple[bytes, Any]:
        """A good answer to ModelInfer with the call's trailing metadata, or Fallen."""
        if self.variant.grpc is None:
            raise Fallen("no_grpc")
        answer, trailing = await self._admitted(self._called(message, metadata, seconds), seconds)
        self.circuit.succeeded()
        return answer, trailing

    async def _called(self, message: bytes, metadata: list[tuple[str, str]], seconds: float) -> tuple[bytes, Any]:
        call = self._ask(message, timeout=seconds, metadata=metadata)
        try:
            answer: bytes = await call
            return answer, await call.trailing_metadata()
        except grpc.aio.AioRpcError as error:
            reason = GRPC_REASONS.get(error.code())
            if reason is None:
                self.circuit.released()
                raise Fallen("refused", error) from error
            self.circuit.failed()
            raise Fallen(reason, error) from error

    @property
    def _ask(self) -> Any:
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self.variant.grpc, options=CHANNEL)
        return self._channel.unary_unary(METHOD)

    async def _admitted(self, asking: Any, seconds: float) -> Any:
        """The outcome of a coroutine, as far as the circuit lets it run and the time reaches."""
        if not self.circuit.admits():
            asking.close()
            raise Fallen("circuit_open")
        try:
            async with asyncio.timeout(seconds):
                return await asking
        except TimeoutError as error:
            self.circuit.failed()
            raise Fallen("timeout") from error
        except Unreachable as error:
            self.circuit.failed()
            raise Fallen("connect") from error
        except asyncio.CancelledError:
            self.circuit.released()
            raise

    def close(self) -> None:
        """What is in flight is still answered."""
        self._client.close()
        if self._channel is not None:
            _closing.add(task := asyncio.ensure_future(self._channel.close(CHANNEL_GRACE_SECONDS)))
            task.add_done_callback(_closing.discard)


_closing: set["asyncio.Future[None]"] = set()
"""asyncio itself keeps no task alive."""
