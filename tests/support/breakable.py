"""A TCP link on loopback that a test can cut and mend, to force an outage of a real server."""

import contextlib
import select
import socket
import threading
from typing import Self


class BreakableLink:
    """Forwards connections to a port of loopback until it is cut; cut, it drops and refuses them."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._whole = True
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._listener.close()

    def cut(self) -> None:
        """End every connection, and every new one as it comes."""
        with self._lock:
            self._whole = False
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let new connections through again."""
        with self._lock:
            self._whole = True

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self._whole:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._target))
                with self._lock:
                    self._open |= {near, far}
                threading.Thread(target=self._pump, args=(near, far), daemon=True).start()

    def _delivered(self, size: int) -> None:
        """So many bytes came from the server."""

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
                        self._delivered(len(data))
