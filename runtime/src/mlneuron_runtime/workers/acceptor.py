"""Accepting connections from a listening socket that several processes share.

Whoever wakes first would take all of a burst, so each takes one a turn, and waits a moment where it should leave the
next to another.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger()

BACKLOG = 2048
PAUSE_SECONDS = 0.001
"""The first; each further one in a row is twice as long."""

LONGEST_PAUSE_SECONDS = 0.1

SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass(slots=True)
class Acceptor:
    """`yields(waits)` says whether to leave what comes to another process; `waits` is how often it has in a row."""

    listener: socket.socket
    protocol: Callable[[], asyncio.Protocol]
    yields: Callable[[int], bool]
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _waits: int = 0
    _open: bool = False
    _paused: asyncio.TimerHandle | None = None
    _joining: set[asyncio.Task[object]] = field(default_factory=set)

    def start(self) -> None:
        self.listener.setblocking(False)
        self.listener.listen(BACKLOG)
        self._open = True
        self._listen()

    def close(self) -> None:
        """Accept no more; the others do. The socket's last owner closes the port."""
        if not self._open:
            return
        self._open = False
        if self._paused is not None:
            self._paused.cancel()
        self.loop.remove_reader(self.listener)
        self.listener.close()

    def _listen(self) -> None:
        self._paused = None
        self.loop.add_reader(self.listener, self._accept)

    def _pause(self, seconds: float) -> None:
        self.loop.remove_reader(self.listener)
        self._paused = self.loop.call_later(seconds, self._listen)

    def _accept(self) -> None:
        if self.yields(self._waits):
            self._pause(min(PAUSE_SECONDS * 2**self._waits, LONGEST_PAUSE_SECONDS))
            self._waits += 1
            return
        self._waits = 0
        try:
            connection, _ = self.listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process was faster, or the client is gone
        except OSError as error:
            if error.errno not in SHORT:
                raise
            log.error("cannot accept a connection", error=error.strerror)
            self._pause(LONGEST_PAUSE_SECONDS)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        joining = self.loop.create_task(self.loop.connect_accepted_socket(self.protocol, connection))
        self._joining.add(joining)
        joining.add_done_callback(self._joining.discard)
