"""Real stores of models, started once a session when a test asks for one."""

from collections.abc import Iterator

import pytest

from tests.support.gcs_server import GcsServer, gcs_server
from tests.support.mlflow_server import MlflowServer, mlflow_server
from tests.support.s3_server import S3Server, s3_server


@pytest.fixture(scope="session")
def s3_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Its bucket `mlflow` belongs to the MLflow server."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        server.put("mlflow", {})
        yield server


@pytest.fixture(scope="session")
def mlflow_process(tmp_path_factory: pytest.TempPathFactory, s3_process: S3Server) -> Iterator[MlflowServer]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow"), s3_process.variables()) as server:
        yield server


@pytest.fixture
def s3(s3_process: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """This process is its client."""
    for name, value in s3_process.variables().items():
        monkeypatch.setenv(name, value)
    return s3_process


@pytest.fixture
def mlflow(mlflow_process: MlflowServer, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> MlflowServer:
    """This process is its client."""
    for name, value in mlflow_process.variables().items():
        monkeypatch.setenv(name, value)
    return mlflow_process


@pytest.fixture(scope="session")
def gcs_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    with gcs_server(tmp_path_factory.mktemp("gcs")) as server:
        yield server


@pytest.fixture
def gcs(gcs_process: GcsServer, monkeypatch: pytest.MonkeyPatch) -> GcsServer:
    """This process is its client."""
    for name, value in gcs_process.variables().items():
        monkeypatch.setenv(name, value)
    return gcs_process
