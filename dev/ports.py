"""Ports for servers that are told their port before they start."""

import random
import socket
from typing import Final

_BELOW_EPHEMERAL: Final = range(10000, 30000)
"""Linux hands out 32768 to 60999 for outgoing connections, Kubernetes 30000 to 32767 for node ports: a port from there
could be taken between this look and the server's start."""


def free_ports(count: int) -> list[int]:
    """Distinct ports that nothing holds at this moment, on any address."""
    found: list[int] = []
    for port in random.sample(_BELOW_EPHEMERAL, len(_BELOW_EPHEMERAL)):
        if len(found) == count:
            break
        if _free(port):
            found.append(port)
    return found


def _free(port: int) -> bool:
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind(("", port))
        except OSError:
            return False
    return True
