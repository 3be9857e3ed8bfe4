"""The fake core against the contract's oddities, called as anyone would call it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from .fake_core import ADMIN_KEY, FakeCore

NEURON = {
    "neuronId": "n1",
    "name": "n",
    "type": "python-ml-inference",
    "language": "python",
    "version": "1",
    "healthcheckEndpoint": "/health",
    "apiEndpoints": [],
    "authentication": {},
    "capabilities": [],
}
REGISTER = "/api/api-neurons/register"
HEARTBEAT = "/api/api-neurons/heartbeat"
ADMIN = {"x-admin-key": ADMIN_KEY}


@pytest.fixture
def core() -> FakeCore:
    return FakeCore()


@pytest.fixture
async def http(core: FakeCore) -> AsyncIterator[aiohttp.ClientSession]:
    async with core.serve() as url, aiohttp.ClientSession(url) as session:
        yield session


async def register(http: aiohttp.ClientSession, **changes: Any) -> dict[str, str]:
    async with http.post(REGISTER, json=NEURON | changes) as response:
        assert response.status == 201
        return {"Authorization": f"Bearer {(await response.json())['data']['token']}"}


async def status_of(http: aiohttp.ClientSession, path: str, headers: dict[str, str], **body: Any) -> int:
    async with http.post(path, json=body, headers=headers) as response:
        return response.status


async def test_a_new_neuron_is_inactive_until_its_first_heartbeat(http: aiohttp.ClientSession, core: FakeCore) -> None:
    token = await register(http)
    assert core.rows["n1"].status == "inactive"
    assert await status_of(http, HEARTBEAT, token, status="active") == 200
    assert core.rows["n1"].status == "active"


async def test_a_second_registration_is_a_bare_500_with_or_without_the_token(http: aiohttp.ClientSession) -> None:
    token = await register(http)
    assert await status_of(http, REGISTER, {}, **NEURON) == 500
    assert await status_of(http, REGISTER, token, **NEURON) == 500


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"status": "active", "errorLog": None}, 400),
        ({"status": "active", "processId": 7}, 400),
        ({"status": "active", "healthScore": 101}, 400),
        ({"healthScore": 50}, 400),
        ({"status": "x" * 51}, 500),
        ({"status": "active", "buildVersion": "x" * 101}, 500),
        ({"status": "active", "uptime": 3_000_000_000}, 500),
        ({"status": "active", "neuronId": "unknown"}, 500),
        ({"status": "active", "made": "up"}, 200),
    ],
)
async def test_heartbeats_are_judged_as_the_contract_says(
    http: aiohttp.ClientSession, body: dict[str, Any], status: int
) -> None:
    assert await status_of(http, HEARTBEAT, await register(http), **body) == status


@pytest.mark.parametrize(("sent", "stored"), [(0, 100), (0.4, 100), (1, 1), (69.6, 70)])
async def test_a_health_score_of_nothing_is_stored_as_a_hundred(
    http: aiohttp.ClientSession, core: FakeCore, sent: float, stored: int
) -> None:
    await status_of(http, HEARTBEAT, await register(http), status="error", healthScore=sent)
    assert core.rows["n1"].heartbeats[-1]["healthScore"] == stored


async def test_a_neuron_id_in_a_heartbeat_overrides_the_tokens(http: aiohttp.ClientSession, core: FakeCore) -> None:
    token = await register(http)
    await register(http, neuronId="n2")
    await status_of(http, HEARTBEAT, token, status="active", neuronId="n2")
    assert (len(core.rows["n1"].heartbeats), len(core.rows["n2"].heartbeats)) == (0, 1)
    assert (core.rows["n1"].status, core.rows["n2"].status) == ("active", "inactive")


async def test_only_bearer_spelled_so_is_taken(http: aiohttp.ClientSession) -> None:
    token = (await register(http))["Authorization"]
    for wrong in (token.replace("Bearer", "bearer"), token + "x", "Bearer x", ""):
        assert await status_of(http, HEARTBEAT, {"Authorization": wrong}, status="active") == 401


async def test_tokens_end_after_a_year(http: aiohttp.ClientSession, core: FakeCore) -> None:
    token, now = await register(http), core.clock()
    core.clock = lambda: now + 366 * 24 * 3600
    assert await status_of(http, HEARTBEAT, token, status="active") == 401


async def test_bodies_that_are_no_json_or_too_long_get_a_message_alone(http: aiohttp.ClientSession) -> None:
    for data, status in (("{", 400), ("x" * 110_000, 413)):
        async with http.post(REGISTER, data=data) as response:
            assert response.status == status
            assert set(await response.json()) == {"message"}


async def test_what_is_not_there_is_html(http: aiohttp.ClientSession) -> None:
    for method, path in (("GET", "/nowhere"), ("DELETE", REGISTER.replace("api-neurons", "neuron"))):
        async with http.request(method, path) as response:
            assert (response.status, response.content_type) == (404, "text/html")


async def test_a_lost_database_shows_in_the_config_alone(http: aiohttp.ClientSession, core: FakeCore) -> None:
    token = await register(http)
    core.lose_database()
    assert await status_of(http, HEARTBEAT, token, status="active") == 500
    async with http.get("/api/neuron/config", headers=token) as response:
        assert (response.status, (await response.json())["error"]) == (404, "Neuron not found")
    async with http.get("/api/api-neurons/commands/pending", headers=token) as response:
        assert (response.status, (await response.json())["data"]) == (200, [])


async def test_the_config_beside_it_and_analytics_are_refused_always(http: aiohttp.ClientSession) -> None:
    token = await register(http)
    async with http.get("/api/api-neurons/config", headers=token) as response:
        assert response.status == 403
    assert await status_of(http, "/api/api-neurons/analytics/report", token, requestCount=1) == 400


async def test_a_deactivated_neuron_beats_on_and_is_in_no_list(http: aiohttp.ClientSession) -> None:
    token = await register(http)
    async with http.delete("/api/api-neurons/n1", headers=ADMIN) as response:
        assert response.status == 200
    assert await status_of(http, HEARTBEAT, token, status="active") == 200
    async with http.get("/api/api-neurons/all", headers=ADMIN) as response:
        assert (await response.json())["total"] == 0
    async with http.put("/api/api-neurons/n1", headers=ADMIN, json={"isActive": True}) as response:
        assert response.status == 200
    async with http.get("/api/api-neurons/all", headers=ADMIN) as response:
        assert (await response.json())["online"] == 1


async def test_it_runs_by_hand_and_is_switched_over_http() -> None:
    root = Path(__file__).parents[2]
    arguments = ("-m", "tests.support.fake_core", "--port", "0")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=root, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    assert process.stdout is not None
    try:
        url = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
        async with aiohttp.ClientSession(url) as http:
            await register(http)
            await status_of(http, "/_switch", {}, html=True)
            async with http.get("/_state") as response:
                state = await response.json()
    finally:
        process.terminate()
        await process.wait()
    assert list(state["rows"]) == ["n1"]
    assert state["switches"]["html"] is True
