"""Bearer tokens: who may ask for predictions, and a Secret that changes underneath."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlneuron_runtime import tallies
from mlneuron_runtime.transport.auth import Tokens
from structlog.testing import capture_logs

from tests.runtime.conftest import Neuron, serving
from tests.runtime.support import Reply, call, post

ROW = {"features": [1, 2], "batch_features": [[1, 2]], "instances": [[1, 2]]}
INFERENCE = ["/predict", "/batch_predict", "/v1/models/churn:predict", "/v1/models/churn/versions/1.0.0:predict"]


@pytest.fixture
def secret(tmp_path: Path) -> Callable[[str], Path]:
    """Writes the token file as the kubelet does: the file is a link through `..data` to a folder that is exchanged."""
    contents = 0

    def write(content: str) -> Path:
        nonlocal contents
        contents += 1
        folder = tmp_path / f"..{contents}"
        folder.mkdir()
        (folder / "tokens").write_text(content)
        (tmp_path / "..new").symlink_to(folder.name)
        os.replace(tmp_path / "..new", tmp_path / "..data")
        if not (tmp_path / "tokens").is_symlink():
            (tmp_path / "tokens").symlink_to("..data/tokens")
        return tmp_path / "tokens"

    return write


def a_second_a_look() -> Callable[[], float]:
    """A clock by which the file is looked at each time."""
    seconds = itertools.count()
    return lambda: float(next(seconds))


async def ask(app: Any, path: str, authorization: str | None) -> Reply:
    return await post(app, path, ROW, {} if authorization is None else {"authorization": authorization})


@pytest.mark.parametrize("path", INFERENCE)
async def test_a_prediction_needs_an_accepted_token(secret: Callable[[str], Path], path: str) -> None:
    async with serving(serving={"tokenFile": str(secret("first\n\n  second \n"))}) as neuron:
        for accepted in ("Bearer first", "bearer second", "BEARER  first"):
            assert (await ask(neuron.app, path, accepted)).status == 200
        for refused in (None, "", "Bearer", "Bearer ", "Bearer firs", "Bearer first second", "Basic first", "first"):
            reply = await ask(neuron.app, path, refused)
            assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer"), refused
            message = reply.json["error"] if path.startswith("/v1/") else reply.json["error"]["message"]
            assert message == "no accepted token; send Authorization: Bearer TOKEN"
        counted = neuron.plane.counted()
        assert counted.count(tallies.REASON["Unauthorized"]) == counted.count(tallies.CLIENT_ERROR) == 8


async def test_probes_and_metadata_need_no_token(secret: Callable[[str], Path]) -> None:
    async with serving(serving={"tokenFile": str(secret("first"))}) as neuron:
        for path in ("/livez", "/readyz", "/health", "/models", "/v1/models", "/v1/models/churn"):
            assert (await call(neuron.app, "GET", path)).status == 200
        assert (await call(neuron.telemetry, "GET", "/metrics")).status == 200


async def test_without_a_token_file_anyone_may_ask_and_nothing_is_around_the_endpoint(neuron: Neuron) -> None:
    assert {type(endpoint).__name__ for endpoint in neuron.app.middleware_stack.hot.values()} == {"Endpoint"}
    assert (await ask(neuron.app, "/predict", None)).status == 200


def test_the_file_is_looked_at_once_a_second(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("one")
    now = 10.0
    tokens = Tokens(path, lambda: now)
    path.write_text("another")
    now = 10.9
    assert tokens.accepts(b"Bearer one")
    now = 11.0
    assert not tokens.accepts(b"Bearer one")
    assert tokens.accepts(b"Bearer another")


def test_a_rotated_secret_counts_from_the_next_look(secret: Callable[[str], Path]) -> None:
    tokens = Tokens(secret("old"), a_second_a_look())
    assert tokens.accepts(b"Bearer old")
    secret("old\nnew")
    assert tokens.accepts(b"Bearer old")
    assert tokens.accepts(b"Bearer new")
    secret("new")
    assert not tokens.accepts(b"Bearer old")
    assert tokens.accepts(b"Bearer new")


def test_a_file_that_is_rewritten_in_place_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("one")
    tokens = Tokens(path, a_second_a_look())
    path.write_text("another")
    assert tokens.accepts(b"Bearer another")


@pytest.mark.parametrize("content", ["", "\n  \n", None])
def test_no_token_at_all_refuses_everyone_and_says_so_once(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "tokens"
    if content is not None:
        path.write_text(content)
    with capture_logs() as told:
        tokens = Tokens(path, a_second_a_look())
        assert [tokens.accepts(header) for header in (None, b"", b"Bearer", b"Bearer ", b"Bearer x")] == [False] * 5
    assert [(event["log_level"], event["path"]) for event in told] == [("error", str(path))]
    path.write_text("late")
    assert tokens.accepts(b"Bearer late")


def test_a_file_that_goes_away_takes_its_tokens_along(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("one")
    tokens = Tokens(path, a_second_a_look())
    path.unlink()
    assert not tokens.accepts(b"Bearer one")


async def test_tokens_are_never_logged(secret: Callable[[str], Path]) -> None:
    with capture_logs() as told:
        async with serving(serving={"tokenFile": str(secret("hidden-accepted"))}) as neuron:
            await ask(neuron.app, "/predict", "Bearer hidden-accepted")
            await ask(neuron.app, "/predict", "Bearer hidden-refused")
    assert told
    assert "hidden" not in str(told)
