"""The client against the fake core's oddities, over real HTTP."""

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from mlneuron_operator.federation import report
from mlneuron_operator.federation.client import FederationClient, Timeouts
from mlneuron_operator.federation.metrics import FederationMetrics
from mlneuron_operator.federation.outcomes import (
    Accepted,
    Invalid,
    NotKnown,
    Registered,
    RegistrationRefused,
    Unauthorized,
    Unreachable,
)
from prometheus_client import CollectorRegistry

from tests.support.fake_core import FakeCore

from .world import facts

NOW = 1_800_000_000.0
BODY = report.registration(facts())
BEAT = report.heartbeat(facts(), NOW)


def client_for(url: str, session: aiohttp.ClientSession, seconds: float = 1.0) -> FederationClient:
    metrics = FederationMetrics(CollectorRegistry(), lambda: NOW)
    return FederationClient(url, session, metrics, Timeouts(connect=seconds, call=seconds, register=seconds))


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


@pytest.fixture
def core() -> FakeCore:
    return FakeCore()


@pytest.fixture
async def client(core: FakeCore, session: aiohttp.ClientSession) -> AsyncIterator[FederationClient]:
    async with core.serve() as url:
        yield client_for(url, session, 0.2)


async def token_of(client: FederationClient) -> str:
    outcome = await client.register(BODY)
    assert isinstance(outcome, Registered)
    return outcome.token


async def test_a_registration_brings_a_token_that_heartbeats_are_taken_with(client: FederationClient) -> None:
    assert await client.heartbeat(await token_of(client), BEAT) == Accepted(None, 0)


async def test_the_cores_own_rhythm_is_read(client: FederationClient, core: FakeCore) -> None:
    core.switches.next_heartbeat = 30.0
    assert await client.heartbeat(await token_of(client), BEAT) == Accepted(30.0, 0)


async def test_a_second_registration_is_refused(client: FederationClient) -> None:
    await token_of(client)
    outcome = await client.register(BODY)
    assert outcome == RegistrationRefused("500 Failed to register API neuron")


async def test_an_invalid_registration_names_the_field(client: FederationClient) -> None:
    outcome = await client.register({**BODY, "capabilities": None})
    assert outcome == Invalid("400 Invalid neuron data; capabilities: Required")


async def test_a_body_over_the_cores_limit_is_invalid(client: FederationClient) -> None:
    assert isinstance(await client.register({**BODY, "metadata": {"x": "y" * 110_000}}), Invalid)


async def test_a_null_text_in_a_heartbeat_is_invalid(client: FederationClient) -> None:
    outcome = await client.heartbeat(await token_of(client), {**BEAT, "errorLog": None})
    assert isinstance(outcome, Invalid)


async def test_a_value_too_long_for_the_core_is_invalid(client: FederationClient) -> None:
    outcome = await client.heartbeat(await token_of(client), {**BEAT, "configVersion": "x" * 51})
    assert outcome == Invalid("500 Internal server error")


async def test_a_token_of_another_secret_is_unauthorized(client: FederationClient, core: FakeCore) -> None:
    token = await token_of(client)
    core.rotate_secret()
    assert isinstance(await client.heartbeat(token, BEAT), Unauthorized)


async def test_a_lost_database_is_told_from_other_failures(client: FederationClient, core: FakeCore) -> None:
    token = await token_of(client)
    core.lose_database()
    assert isinstance(await client.heartbeat(token, BEAT), NotKnown)


async def test_a_core_without_its_database_is_unreachable(client: FederationClient, core: FakeCore) -> None:
    token = await token_of(client)
    core.switches.database_down = True
    assert isinstance(await client.heartbeat(token, BEAT), Unreachable)


async def test_html_is_no_answer_whatever_its_status(client: FederationClient, core: FakeCore) -> None:
    core.switches.html = True
    outcome = await client.register(BODY)
    assert isinstance(outcome, Unreachable)
    assert "text/html" in outcome.message


async def test_a_cut_connection_and_a_slow_answer_are_unreachable(client: FederationClient, core: FakeCore) -> None:
    core.switches.down = True
    assert await client.register(BODY) == Unreachable("breaks off the connection")
    core.switches.down = False
    core.switches.slow_seconds = 0.5
    assert await client.register(BODY) == Unreachable("does not answer in time")


async def test_a_closed_port_is_unreachable(session: aiohttp.ClientSession) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = client_for(f"http://127.0.0.1:{unused.getsockname()[1]}", session)
        assert await client.register(BODY) == Unreachable("refuses connections")


async def test_a_url_below_a_path_that_no_core_has_is_unreachable(
    core: FakeCore, session: aiohttp.ClientSession
) -> None:
    async with core.serve() as url:
        assert isinstance(await client_for(f"{url}/elsewhere", session).register(BODY), Unreachable)


async def test_a_redirect_is_not_followed_with_the_token(session: aiohttp.ClientSession) -> None:
    async def away(_: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("http://elsewhere.example.com/")

    app = web.Application()
    app.router.add_post("/{path:.*}", away)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        outcome = await client_for(f"http://127.0.0.1:{runner.addresses[0][1]}", session).heartbeat("t", BEAT)
    finally:
        await runner.cleanup()
    assert isinstance(outcome, Unreachable)
    assert "redirects" in outcome.message


@pytest.mark.parametrize("url", ["", "core:5000", "ftp://core", "http://user:pw@core:5000", "http://"])
async def test_a_url_that_can_not_be_a_cores_is_refused_without_repeating_it(
    session: aiohttp.ClientSession, url: str
) -> None:
    with pytest.raises(ValueError, match="without user or password") as caught:
        client_for(url, session)
    assert "pw" not in str(caught.value).replace("password", "")
