"""Questions to a server in another process, over HTTP."""

from pathlib import Path
from typing import Any

import aiohttp

from tests.runtime.support import Process, until_asked


async def predict(http: aiohttp.ClientSession, process: Process, *features: float) -> tuple[int, Any, Any]:
    """Status, body and headers of one prediction."""
    async with http.post(f"{process.url}/predict", json={"features": features}) as reply:
        return reply.status, await reply.json(), reply.headers


async def stats(http: aiohttp.ClientSession, process: Process) -> dict[str, Any]:
    async with http.get(f"{process.metrics_url}/stats") as reply:
        told: dict[str, Any] = await reply.json()
        return told


async def status(http: aiohttp.ClientSession, url: str) -> int:
    async with http.get(url) as reply:
        return reply.status


async def until_stats(http: aiohttp.ClientSession, process: Process, **expected: Any) -> None:
    async def so() -> bool:
        return expected.items() <= (await stats(http, process)).items()

    await until_asked(so)


async def until_busy(http: aiohttp.ClientSession, process: Process, requests: int) -> None:
    async def so() -> bool:
        return bool((await stats(http, process))["requests"] >= requests)

    await until_asked(so)


async def until_in_flight(http: aiohttp.ClientSession, process: Process, count: int) -> None:
    async def so() -> bool:
        async with http.get(f"{process.metrics_url}/metrics") as reply:
            return f"mlneuron_requests_in_flight {float(count)}" in (await reply.text()).splitlines()

    await until_asked(so)


async def until_refused(http: aiohttp.ClientSession, url: str) -> None:
    """Until readiness says no."""

    async def so() -> bool:
        return await status(http, url) == 503

    await until_asked(so)


def open_gate(model: Path) -> None:
    (model.parent / "pipe").write_bytes(b"go")
