"""A real S3 server for tests: moto's, in a process of its own."""

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dev.ports import free_ports

from .kube import eventually

SOMEONE = "AWS4-HMAC-SHA256 Credential=AKIATESTS/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00"
"""Nobody checks the signature, but without one moto takes the caller for a stranger."""


@dataclass(frozen=True)
class S3Server:
    """A running server. It takes any credentials, and none, until told to `guard`."""

    port: int
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def variables(self, port: int | None = None) -> dict[str, str]:
        """The environment of a client; `port` is that of a link to the server."""
        return {
            "AWS_ENDPOINT_URL": f"http://{self.host}:{port or self.port}",
            "AWS_ACCESS_KEY_ID": "AKIATESTS",
            "AWS_SECRET_ACCESS_KEY": "s3-secret-of-the-tests",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def put(self, bucket: str, objects: Mapping[str, bytes], acl: str = "private") -> None:
        """Make or replace objects by their keys."""
        self._send("PUT", bucket, b"")
        for key, content in objects.items():
            self._send("PUT", f"{bucket}/{quote(key)}", content, acl)

    def guard(self, on: bool) -> None:
        """Refuse keys that no user of the account has."""
        self._send("POST", "moto-api/reset-auth", b"0" if on else b"inf")

    def _send(self, method: str, path: str, body: bytes, acl: str = "private") -> None:
        headers = {"Content-Type": "application/octet-stream", "Authorization": SOMEONE, "x-amz-acl": acl}
        request = urllib.request.Request(f"{self.url}/{path}", body, headers, method=method)
        with urllib.request.urlopen(request, timeout=30):
            pass


@contextmanager
def s3_server(folder: Path, host: str = "127.0.0.1") -> Iterator[S3Server]:
    """A server without objects, at an address of this machine; ended with the block."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)]
    with (folder / "s3.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        eventually("the S3 server answers", lambda: answers(f"http://{host}:{port}/moto-api/"), 60)
        yield S3Server(port, host)
    finally:
        process.terminate()
        process.wait(30)


def answers(url: str) -> bool:
    """Whether a server is there and well."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            status: int = answer.status
            return status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
