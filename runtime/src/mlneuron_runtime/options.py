"""What the command line and the machine say of a server, apart from its configuration."""

import msgspec


class Options(msgspec.Struct, frozen=True):
    """Where to listen (port 0: any), how many CPUs a process may use, which image this is, whether somebody runs it by
    hand and wants to be told what to try.
    """

    host: str
    port: int
    metrics_port: int
    grpc_port: int
    threads: int
    image: str
    greet: bool = False
