"""An endpoint's `send` that says who answers, and keeps what is said where somebody wants it."""

from collections.abc import Awaitable, Callable

from starlette.types import Message, Scope, Send

from mlneuron_runtime import log
from mlneuron_runtime.traffic import marks
from mlneuron_runtime.transport.envelope import ID, PROCESS

VARIANT = b"x-neuron-variant"
FALLBACK = b"x-neuron-fallback"
PREDICTION = b"x-neuron-prediction"
SECONDS = b"x-neuron-seconds"

LONGEST_NUMBER = 18

OURS = PROCESS.decode()


class Noted:
    """`keeps`: the body is kept. `seconds`: how long the answer has taken, where whoever asks should be told."""

    __slots__ = ("_fallen", "_scope", "_send", "_variant", "body", "keeps", "seconds", "status")

    def __init__(self, scope: Scope, send: Send, variant: str, fallen: str | None = None) -> None:
        self._scope, self._send, self._variant, self._fallen = scope, send, variant, fallen
        self.keeps = False
        self.seconds: Callable[[], float] | None = None
        self.status = 0
        self.body = b""

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], (VARIANT, self._variant.encode())]
            mark = marks.prediction.get()
            if mark is not None:
                headers.append((PREDICTION, mark.encode()))
                identify(self._scope, mark)
            if self._fallen is not None:
                headers.append((FALLBACK, self._fallen.encode()))
            if self.seconds is not None:
                headers.append((SECONDS, b"%.6f" % self.seconds()))
            message["headers"] = headers
        elif self.keeps:
            self.body += message.get("body", b"")
        return self._send(message)


def identify(scope: Scope, mark: str) -> None:
    """Let the answer's X-Request-Id be one that any pod can judge by the outcome, unless the caller chose it."""
    request = log.request_id.get() or ""
    if request.startswith(OURS):
        scope[ID] = f"{request}:{mark}".encode()


def own_id() -> str | None:
    """The present request's id, if its caller chose it."""
    request = log.request_id.get()
    return None if request is None or request.startswith(OURS) else request


def number_of(value: bytes | None) -> float | None:
    """A header's number, if it is one that is not negative."""
    if value is None or len(value) > LONGEST_NUMBER or not value.replace(b".", b"", 1).isdigit():
        return None
    return float(value)
