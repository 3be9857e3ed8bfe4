"""Whatever goes wrong, no credential is in what `fetch` says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.sources.artifacts import Artifacts, artifacts
from tests.runtime.support import config_for, environment, runtime
from tests.support.s3_server import S3Server

SECRET = "pa55word-of-the-tests"  # noqa: S105  # which the programs must not tell

SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAUNKNOWN",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": f"{SECRET}-session",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_REGION": "eu-central-1",
    "MLFLOW_TRACKING_USERNAME": "me",
    "MLFLOW_TRACKING_PASSWORD": SECRET,
    "MLFLOW_TRACKING_TOKEN": SECRET,
    "HTTP_USERNAME": "me",
    "HTTP_PASSWORD": SECRET,
    "NO_GCE_CHECK": "true",
    "MLNEURON_LOG_LEVEL": "debug",
}


@pytest.fixture
def server() -> Iterator[Artifacts]:
    with artifacts() as made:
        yield made


def told(folder: Path, uri: str, **variables: str) -> dict[str, str]:
    """The last words of a fetch that failed; neither they nor its log hold the secret."""
    (folder / "config.json").write_text(json.dumps(config_for(folder / "m", model={"uri": uri})))
    with runtime(folder, "fetch", "--config", str(folder / "config.json"), **SECRETS, **variables) as process:
        output, _ = process.process.communicate(timeout=120)
    assert process.process.returncode == 78, output
    assert SECRET not in output + process.termination_log.read_text()
    assert all(line.startswith("{") for line in output.splitlines()), output
    words: dict[str, str] = process.last_words
    return words


@pytest.mark.parametrize("answer", ["401", "403", "404", "400", "to_file"])
def test_http(tmp_path: Path, server: Artifacts, answer: str) -> None:
    uri = f"{server.url}/{answer}?signature={SECRET}#{SECRET}".replace("//", f"//me:{SECRET}@")
    assert server.url in told(tmp_path, uri)["message"]


def test_a_url_that_cannot_be_read(tmp_path: Path) -> None:
    assert told(tmp_path, f"http://me:{SECRET}@host:port/m?{SECRET}")["reason"] == "ConfigInvalid"


def test_s3(tmp_path: Path, s3_process: S3Server) -> None:
    s3_process.put("guarded", {"m": b"m"})
    s3_process.guard(True)
    try:
        words = told(tmp_path, "s3://guarded/m", AWS_ENDPOINT_URL=s3_process.url)
    finally:
        s3_process.guard(False)
    assert words["reason"] == "ModelFetchFailed"
    assert "credentials" in words["message"]


def test_s3_at_an_endpoint_with_a_password(tmp_path: Path) -> None:
    words = told(tmp_path, "s3://bucket/m", AWS_ENDPOINT_URL=f"http://me:{SECRET}@127.0.0.1:9")
    assert words["reason"] == "ModelFetchFailed"


def test_gcs_with_a_key_that_cannot_be_read(tmp_path: Path, server: Artifacts) -> None:
    (tmp_path / "key.json").write_text(json.dumps({"type": "service_account", "private_key": SECRET}))
    server.script = ["401"] * 100
    words = told(
        tmp_path,
        "gs://bucket/m",
        STORAGE_EMULATOR_HOST=server.url,
        GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "key.json"),
    )
    assert words["reason"] == "ModelFetchFailed"


@pytest.mark.parametrize("status", ["401", "500"])
def test_mlflow(tmp_path: Path, server: Artifacts, status: str) -> None:
    server.script = [status] * 100
    words = told(tmp_path, "models:/churn/1", MLFLOW_TRACKING_URI=server.url.replace("//", f"//me:{SECRET}@"))
    assert words["reason"] == "ModelFetchFailed"


def test_this_test_would_see_the_secret(tmp_path: Path) -> None:
    assert SECRET in {**environment(tmp_path), **SECRETS}.values()
