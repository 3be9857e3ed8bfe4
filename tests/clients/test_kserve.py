"""KServe's inference client works unchanged, over REST and gRPC."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dev import tools
from tests.clients.conftest import LABELS, ROWS
from tests.runtime.support import Process

HOME = Path(__file__).parent / "kserve"


@pytest.fixture(scope="module")
def python() -> Path:
    """Of an environment with the client, as locked."""
    command = [str(tools.uv()), "sync", "--locked", "--quiet", "--project", str(HOME)]
    variables = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_PROJECT_ENVIRONMENT": str(HOME / ".venv")}
    variables.pop("VIRTUAL_ENV", None)
    subprocess.run(command, env=variables, check=True)
    return HOME / ".venv" / "bin" / "python"


@pytest.fixture(scope="module")
def answers(python: Path, server: Process) -> dict[str, Any]:
    arguments = [server.url, f"127.0.0.1:{server.grpc_port}", "churn", json.dumps(ROWS)]
    asked = subprocess.run([str(python), str(HOME / "ask.py"), *arguments], capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr
    told: dict[str, Any] = json.loads(asked.stdout.splitlines()[-1])
    return told


def test_it_finds_the_server_and_its_model_ready(answers: dict[str, Any]) -> None:
    for told in answers.values():
        assert (told["live"], told["ready"]) == (True, True)
    assert answers["rest"]["model_ready"] == [True, False]
    assert answers["grpc"]["model_ready"] is True


def test_it_reads_every_form_of_an_answer(answers: dict[str, Any], probabilities: list[list[float]]) -> None:
    forms = [answers["rest"][form] for form in ("json", "binary", "all_binary")]
    forms += [answers["grpc"][form] for form in ("typed", "raw")]
    expected = {"prediction": LABELS, "confidence": [max(row) for row in probabilities], "probabilities": probabilities}
    assert forms == [{"model": "churn", "id": "mine", "outputs": expected}] * 5


def test_it_understands_an_error(answers: dict[str, Any]) -> None:
    status, message = answers["rest"]["error"]
    assert (status, "available: churn" in message) == (404, True)
    code, message = answers["grpc"]["error"]
    assert (code, "available: churn" in message) == ("NOT_FOUND", True)
