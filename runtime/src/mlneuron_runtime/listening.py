"""The sockets that a server listens on."""

import socket

from mlneuron_runtime.failure import Fatal, Reason


def bind(host: str, port: int, shared: bool = False) -> socket.socket:
    """A bound socket, or Fatal; port 0 takes any. `shared`: others may bind to the same port."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Fatal(
            Reason.CONFIG_INVALID,
            f"port {port} on {host} cannot be used ({error.strerror}); free it or choose another",
        ) from error
    return listener
