"""`fetch` by scheme."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from mlneuron_runtime import sources
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.settings import ModelSource, http_authorization, steady_clients
from mlneuron_runtime.sources.digest import digest_of

from tests.runtime.sources.artifacts import artifacts
from tests.runtime.support import environment


def source(uri: str, path: Path, sha256: str | None = None) -> ModelSource:
    return ModelSource(name="churn", framework="sklearn", uri=uri, path=str(path), sha256=sha256)


MOUNTED = ["pvc://claim/m.joblib", "file:///opt/m.joblib", "oci://registry.test/models/churn:1/m.joblib"]


@pytest.mark.parametrize("uri", MOUNTED)
def test_what_is_mounted_has_to_be_there_and_match(tmp_path: Path, uri: str) -> None:
    path = tmp_path / "m.joblib"
    with pytest.raises(Fatal, match=r"is not there") as absent:
        sources.fetch(source(uri, path))
    assert absent.value.reason is Reason.MODEL_NOT_FOUND
    path.write_bytes(b"model")
    sources.fetch(source(uri, path))
    sources.fetch(source(uri, path, hashlib.sha256(b"model").hexdigest()))
    with pytest.raises(Fatal) as mismatched:
        sources.fetch(source(uri, path, "0" * 64))
    assert mismatched.value.reason is Reason.MODEL_DIGEST_MISMATCH


def test_what_is_there_and_cannot_be_read_is_not_said_to_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "m.joblib"
    path.symlink_to(path.name)  # a loop, which root can't read either
    with pytest.raises(Fatal, match=r"m.joblib cannot be read \(.*; the runtime is uid") as failed:
        sources.fetch(source("oci://registry.test/churn:1/m.joblib", path))
    assert failed.value.reason is Reason.MODEL_LOAD_FAILED
    with pytest.raises(Fatal, match="is not there"):
        sources.fetch(source("oci://registry.test/churn:1/f/m.joblib", Path(__file__, "m.joblib")))


def test_a_mounted_folder_has_a_digest_too(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.mkdir()
    (path / "MLmodel").write_text("flavors: {}")
    sources.fetch(source("oci://registry.test/churn:1/model", path, digest_of(path)))
    with pytest.raises(Fatal, match="not the pinned"):
        sources.fetch(source("oci://registry.test/churn:1/model", path, "0" * 64))


@pytest.mark.parametrize(
    "uri", ["ftp://host/m.joblib", "m.joblib", "://", "dbfs:/models/m", "http//host/m", "x://[broken"]
)
def test_a_scheme_that_is_not_known_is_a_matter_of_the_config(tmp_path: Path, uri: str) -> None:
    with pytest.raises(Fatal, match="cannot fetch; use models, s3, gs, http, https, pvc, oci or file") as failed:
        sources.fetch(source(uri, tmp_path / "m"))
    assert failed.value.reason is Reason.CONFIG_INVALID


@pytest.mark.parametrize(
    ("variables", "header"),
    [
        ({}, None),
        ({"HTTP_USERNAME": "me", "HTTP_PASSWORD": "p:ä"}, "Basic bWU6cDrDpA=="),
        ({"HTTP_TOKEN": "t0ken\n"}, "Bearer t0ken"),
        ({"HTTP_TOKEN": "t0ken", "HTTP_USERNAME": "me"}, "Bearer t0ken"),
    ],
)
def test_the_environment_gives_credentials_for_http(variables: dict[str, str], header: str | None) -> None:
    assert http_authorization(variables) == header


def test_the_stores_clients_are_steadied_but_the_manifest_has_the_last_word() -> None:
    variables = {"AWS_REGION": "eu-central-1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3"}
    steady_clients(variables)
    assert variables["AWS_DEFAULT_REGION"] == "eu-central-1"
    assert variables["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "3"
    assert variables["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_fetch_over_http_imports_no_stores_client(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom mlneuron_runtime.settings import ModelSource\nfrom mlneuron_runtime import sources\n"
        "with_cache = {'uri': sys.argv[1], 'path': sys.argv[2] + '/m', 'cache': sys.argv[2] + '/cache'}\n"
        "sources.fetch(ModelSource(name='m', framework='sklearn', **with_cache))\nprint(*sys.modules)"
    )
    with artifacts() as server:
        done = subprocess.run(
            [sys.executable, "-c", program, f"{server.url}/tagged", str(tmp_path)],
            env=environment(tmp_path), capture_output=True, text=True, check=True,
        )  # fmt: skip
    modules = set(done.stdout.split())
    assert modules.isdisjoint(
        {"s3fs", "gcsfs", "fsspec", "mlflow", "botocore", "aiohttp", "requests", "numpy", "pandas"}
    )
