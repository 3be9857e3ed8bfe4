"""A link to a real server that counts what it delivers, and breaks off where a test says."""

import contextlib
import select
import socket

from .breakable import BreakableLink


class MeteredLink(BreakableLink):
    """`delivered` are the bytes that came from the server; past `budget` the link is cut."""

    def __init__(self, target: int, budget: int | None = None) -> None:
        super().__init__(target)
        self.delivered = 0
        self.budget = budget

    def _pump(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        with near, far, contextlib.suppress(OSError):
            while True:
                for each in select.select([near, far], [], [])[0]:
                    data = each.recv(65536)
                    if not data:
                        return
                    other[each].sendall(data)
                    if each is far:
                        self._count(len(data))

    def _count(self, size: int) -> None:
        self.delivered += size
        if self.budget is not None and self.delivered > self.budget:
            self.budget = None
            self.cut()
