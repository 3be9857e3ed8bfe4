"""A real MLflow server for tests, with a registered model of several versions, in processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dev.ports import free_ports

from .kube import eventually
from .s3_server import answers

ROOT = Path(__file__).parents[2]
START_SECONDS = 180


@dataclass(frozen=True)
class MlflowServer:
    """A running server. `churn` has versions 1 (`champion`) and 2, kept by the server, 3 in S3 where there is one, and
    the last in a folder beside the server.
    """

    url: str

    def variables(self) -> dict[str, str]:
        """The environment of a client."""
        return {**QUIET, "MLFLOW_TRACKING_URI": self.url}


QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "GIT_PYTHON_REFRESH": "quiet",
}


@contextmanager
def mlflow_server(folder: Path, s3: Mapping[str, str]) -> Iterator[MlflowServer]:
    """A server with its models; ended with the block. `s3` is the environment of a client of an S3 server that has the
    bucket `mlflow`.
    """
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    server = _started(folder, "server", [*_command(folder, port)], {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
    filler = _started(folder, "models", [sys.executable, "-m", "tests.support.mlflow_models", url, str(folder)], s3)
    try:
        eventually("the MLflow server answers", lambda: server.poll() or answers(f"{url}/health"), START_SECONDS)
        assert server.poll() is None, (folder / "server.log").read_text()
        assert filler.wait(START_SECONDS) == 0, (folder / "models.log").read_text()
        yield MlflowServer(url)
    finally:
        _end(filler)
        _end(server)


def _command(folder: Path, port: int) -> Iterator[str]:
    yield from (sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    yield from ("--backend-store-uri", f"sqlite:///{folder}/mlflow.db")
    yield from ("--serve-artifacts", "--artifacts-destination", str(folder / "artifacts"))


def _started(folder: Path, name: str, command: list[str], variables: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """In a session of its own, since the server starts processes itself."""
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **QUIET, **variables},
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """With everything that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(20)
