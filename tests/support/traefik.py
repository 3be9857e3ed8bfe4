"""Traefik as a process of a test's own: an implementation of the Gateway API that is not ours."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def traefik(kubeconfig: Path, port: int, log: Path) -> Iterator[None]:
    """It carries out the routes of Gateways of the class ``traefik`` on a port of loopback, until the block ends."""
    command = [
        str(Path(sys.executable).with_name("traefik")),
        f"--entrypoints.web.address=127.0.0.1:{port}",
        "--providers.kubernetesgateway=true",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    ]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, "KUBECONFIG": str(kubeconfig)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)
