"""Copies for a shadow: compared, counted, and never waited for."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import grpc.aio
import pytest

from tests.runtime.asking import stats
from tests.runtime.support import until_asked
from tests.runtime.traffic.asking import call, called, in_force, predict
from tests.runtime.traffic.neurons import VERSIONS, Fleet, fleet


async def shadow_of(http: aiohttp.ClientSession, two: Fleet) -> dict[str, Any]:
    told: dict[str, Any] = (await stats(http, two.front))["traffic"]["variants"]["candidate"]["shadow"]
    return told


async def until_counted(http: aiohttp.ClientSession, two: Fleet, **expected: int) -> None:
    async def so() -> bool:
        return expected.items() <= (await shadow_of(http, two)).items()

    await until_asked(so)


async def test_every_protocols_answers_are_compared(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    """The shadow adds 100: on large numbers that is within the tolerance, on small ones it is not."""
    with fleet(tmp_path, "candidate") as two:
        two.write("shadow", two.entry("candidate", 100, mode="Shadow"))
        await in_force(http, two.front, "shadow")
        bodies: list[tuple[str, Any]] = []
        for value in (1, 1_000_000):
            tensor = {"name": "features", "datatype": "FP64", "shape": [1, 2], "data": [value, value]}
            bodies += [
                ("/predict", {"features": [value, value]}),
                ("/batch_predict", {"batch_features": [[value, value]]}),
                ("/v1/models/churn:predict", {"instances": [[value, value]]}),
                ("/v2/models/churn/infer", {"inputs": [tensor]}),
            ]
        for path, body in bodies:
            async with http.post(two.front.url + path, json=body) as reply:
                assert (reply.status, reply.headers["X-Neuron-Variant"]) == (200, "primary")
        await until_counted(http, two, agree=4, disagree=4, error=0, dropped=0)
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{two.front.grpc_port}")
        assert await called(channel, call()) == (3, "primary")
        await channel.close()
        await until_counted(http, two, agree=4, disagree=5)
        told = await shadow_of(http, two)
        assert sum(told["latency"]) == sum(told["primaryLatency"]) == 9
        async with http.get(f"{two.front.metrics_url}/metrics") as reply:
            lines = (await reply.text()).splitlines()
        assert 'mlneuron_shadow_total{outcome="disagree",variant="candidate"} 5.0' in lines
        assert (await stats(http, two.front))["traffic"]["variants"]["candidate"]["requests"] == 0


async def test_a_hanging_shadow_delays_and_fails_nobody(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    """While it hangs, its queue fills and the rest is dropped; callers get all their answers."""
    with fleet(tmp_path, "candidate", timeoutSeconds=60.0) as two:
        two.write("shadow", two.entry("candidate", 100, mode="Shadow"))
        await in_force(http, two.front, "shadow")
        os.kill(two.variants["candidate"].process.pid, signal.SIGSTOP)

        async def ask(count: int) -> None:
            for _ in range(count):
                status, told, _ = await predict(http, two.front.url, {"features": [1, 2]})
                assert (status, told["prediction"]) == (200, 3)

        await asyncio.gather(*(ask(50) for _ in range(8)))
        told = await shadow_of(http, two)
        assert told["dropped"] == 400 - 256 - 8
        assert told["agree"] == told["disagree"] == 0
        os.kill(two.variants["candidate"].process.pid, signal.SIGCONT)
        await until_counted(http, two, disagree=256 + 8)


async def test_a_dead_shadow_is_counted_and_seen_by_nobody(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    with fleet(tmp_path) as one:
        entry = {"name": "candidate", "mode": "Shadow", "percent": 100, "url": "http://127.0.0.1:9"}
        one.write("shadow", entry)
        await in_force(http, one.front, "shadow")
        for _ in range(20):
            assert (await predict(http, one.front.url, {"features": [1, 2]}))[0] == 200
        await until_counted(http, one, error=20)


@pytest.mark.parametrize("percent", [0, 50])
async def test_a_share_of_the_requests_is_mirrored(http: aiohttp.ClientSession, tmp_path: Path, percent: float) -> None:
    with fleet(tmp_path, "candidate") as two:
        two.write("shadow", two.entry("candidate", percent, mode="Shadow"))
        await in_force(http, two.front, "shadow")
        for _ in range(100):
            assert (await predict(http, two.front.url, {"features": [1, 2]}))[0] == 200
        if percent:

            async def some() -> bool:
                return bool(15 < (await shadow_of(http, two))["disagree"] < 85)

            await until_asked(some)
        pinned = await predict(http, two.front.url, {"features": [1, 2], "model_version": VERSIONS["candidate"]})
        assert pinned[1]["model_variant"] == "candidate"
