"""A place that CloudEvents are posted to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.loopback import served


@dataclass
class Posted:
    """One event: its headers in lower case, and its body."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        return self.headers["ce-type"].rpartition(".")[2]


@dataclass
class PayloadSink:
    """What arrived, and what to answer: `statuses` one after the other, then 202. `gate` holds answers up."""

    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    connections: int = 0
    gate: threading.Event = field(default_factory=threading.Event)

    def of(self, kind: str) -> list[Posted]:
        return [event for event in self.posted if event.kind == kind]


@contextmanager
def payload_sink() -> Iterator[PayloadSink]:
    """On a port of its own."""
    sink = PayloadSink()
    sink.gate.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            sink.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            sink.gate.wait(30)
            sink.posted.append(Posted({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(sink.statuses.pop(0) if sink.statuses else 202)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Nothing."""

    with served(Handler) as url:
        sink.url = f"{url}/events"
        try:
            yield sink
        finally:
            sink.gate.set()
