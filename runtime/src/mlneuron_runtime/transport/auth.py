"""Who may ask for predictions: callers with a bearer token of `serving.tokenFile`.

The file holds an accepted token a line and is read again when it changes, as a mounted Secret does. Without a single
token in it, or without the file, nobody may ask.
"""

import hashlib
import hmac
import os
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.errors import Unauthorized

log = structlog.get_logger()

SCHEME = b"bearer"

LARGEST_FILE = 1024 * 1024
"""Bytes of the token file that are read."""

LOOK_SECONDS = 1.0
"""How often it is looked whether the file is another. Each look lets go of the interpreter's lock, and may have to wait
for a busy thread to give it back.
"""

State = tuple[int, int, int]
"""Inode, modification time in nanoseconds and size: what tells one content of the file from the next."""


class Tokens:
    """The accepted tokens, kept as digests only. `clock` is in seconds."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._look_at = 0.0
        self._seen: State | None = None
        self._digests: tuple[bytes, ...] | None = None
        """None before the file was looked for."""
        self._look()

    def accepts(self, header: bytes | None) -> bool:
        """Whether an Authorization header holds an accepted token. Takes as long for a wrong one as for any other."""
        if self._clock() >= self._look_at:
            self._look()
        scheme, _, token = (header or b"").partition(b" ")
        given = hashlib.sha256(token.strip()).digest()
        found = False
        for digest in self._digests or ():
            found |= hmac.compare_digest(digest, given)
        return found and scheme.lower() == SCHEME

    def _look(self) -> None:
        """Read the file if it is another than before; the links that a Secret's mount consists of are followed."""
        self._look_at = self._clock() + LOOK_SECONDS
        try:
            told = os.stat(self._path)
            state = (told.st_ino, told.st_mtime_ns, told.st_size)
            if state == self._seen:
                return
            with self._path.open("rb") as file:
                content = file.read(LARGEST_FILE)
        except OSError as error:
            self._missing(error)
            return
        self._seen = state
        self._digests = tuple(hashlib.sha256(line.strip()).digest() for line in content.splitlines() if line.strip())
        if self._digests:
            log.info("tokens read", tokens=len(self._digests))
        else:
            log.error(
                "every request is refused: serving.tokenFile holds no token; put one a line", path=str(self._path)
            )

    def _missing(self, error: OSError) -> None:
        if self._digests is None or self._seen is not None:
            log.error(
                "every request is refused: serving.tokenFile cannot be read; mount the Secret",
                path=str(self._path), error=error.strerror,
            )  # fmt: skip
        self._seen, self._digests = None, ()


def unauthorized() -> Unauthorized:
    return Unauthorized("Authorization", "no accepted token; send Authorization: Bearer TOKEN")


class Guarded:
    """An ASGI endpoint for callers with a token. `protocol` is one of `tallies.PROTOCOL`: refusals are counted."""

    def __init__(self, endpoint: ASGIApp, tokens: Tokens, plane: DataPlane, protocol: int) -> None:
        self.endpoint, self.tokens, self.plane, self.protocol = endpoint, tokens, plane, protocol

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        header = next((value for name, value in scope["headers"] if name == b"authorization"), None)
        if not self.tokens.accepts(header):
            with self.plane.request(self.protocol):
                raise unauthorized()
        await self.endpoint(scope, receive, send)
