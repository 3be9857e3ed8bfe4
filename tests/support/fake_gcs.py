"""A fake of Google Cloud Storage: the few reads of its JSON API that gcsfs makes. No emulator of it is installed here;
by hand the same tests' cases were run against fsouza/fake-gcs-server too.
"""

import http.server
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.loopback import served


@dataclass
class FakeGcs:
    """Buckets, each with its objects by key; every write is a new generation. `status` is answered instead if set."""

    url: str = ""
    status: int | None = None
    delivered: int = 0
    budget: int | None = None
    buckets: dict[str, dict[str, tuple[int, bytes]]] = field(default_factory=dict)
    _written: int = 0

    def put(self, bucket: str, key: str, content: bytes) -> None:
        self._written += 1
        self.buckets.setdefault(bucket, {})[key] = (1_700_000_000_000_000 + self._written, content)

    def variables(self) -> dict[str, str]:
        """The environment of a client."""
        return {"STORAGE_EMULATOR_HOST": self.url, "NO_GCE_CHECK": "true"}


@contextmanager
def fake_gcs() -> Iterator[FakeGcs]:
    """Served on loopback until the block ends."""
    shared = FakeGcs()
    handler = type("Bound", (_Handler,), {"shared": shared})
    with served(handler) as url:
        shared.url = url
        yield shared


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shared: FakeGcs

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        found = re.fullmatch(r"(/download)?/storage/v1/b/([^/]+)(?:/o(?:/(.+))?)?", parts.path)
        objects = self.shared.buckets.get(found[2]) if found else None
        if self.shared.status or found is None or objects is None:
            return self._answer(self.shared.status or 404, {"error": {"message": "refused"}})
        if found[3] is None:
            return self._answer(200, self._listing(found[2], objects, query))
        generation, content = objects.get(unquote(found[3]), (0, b""))
        if not generation or query.get("generation", str(generation)) != str(generation):
            return self._answer(404, {"error": {"message": "No such object"}})
        if found[1]:
            return self._bytes(content)
        self._answer(200, _described(found[2], unquote(found[3]), generation, content))

    def _listing(self, bucket: str, objects: dict[str, tuple[int, bytes]], query: dict[str, str]) -> dict[str, Any]:
        keys = [key for key in sorted(objects) if key.startswith(query.get("prefix", ""))]
        return {"kind": "storage#objects", "items": [_described(bucket, key, *objects[key]) for key in keys]}

    def _bytes(self, content: bytes) -> None:
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        body = content[int(span[1]) : int(span[2]) + 1] if span else content
        self.shared.delivered += len(body)
        if self.shared.budget is not None and self.shared.delivered > self.shared.budget:
            self.shared.delivered -= len(body)
            return self._answer(418, {"error": {"message": "enough"}})
        self.send_response(206 if span else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _described(bucket: str, key: str, generation: int, content: bytes) -> dict[str, Any]:
    return {"name": key, "bucket": bucket, "generation": str(generation), "size": str(len(content))}
