"""Outcomes that are told later, to whichever pod: online accuracy by variant."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import grpc.aio
import psutil
import pytest
from mlneuron_runtime.traffic import marks

from tests.runtime.asking import stats
from tests.runtime.support import Process, until_asked
from tests.runtime.traffic.asking import METHOD, call, in_force, predict
from tests.runtime.traffic.neurons import ADDS, Fleet, fleet, member


async def feedback(http: aiohttp.ClientSession, process: Process, **told: Any) -> tuple[int, Any]:
    async with http.post(f"{process.url}/feedback", json=told) as reply:
        return reply.status, await reply.json()


async def test_any_pod_judges_a_prediction_by_its_id(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    with fleet(tmp_path, "candidate") as two:
        two.write("half", two.entry("candidate", 50))
        with member(tmp_path, "primary", trafficFile=str(two.table)) as second:
            for pod in (two.front, second):
                await in_force(http, pod, "half")
            right: dict[str, int] = {"primary": 0, "candidate": 0}
            total = dict(right)
            for number in range(60):
                _, told, headers = await predict(http, two.front.url, {"features": [number, 1], "user_id": number})
                assert headers["X-Request-Id"] == told["request_id"]
                name = told["model_variant"]
                outcome = told["prediction"] if number % 3 else told["prediction"] + 2
                status, judged = await feedback(http, second, request_id=told["request_id"], outcome=outcome)
                expected = {"recorded": True, "variant": name, "correct": bool(number % 3)}
                assert (status, judged) == (200, {**expected, "absolute_error": 0 if number % 3 else 2})
                total[name] += 1
                right[name] += bool(number % 3)
            found = (await stats(http, second))["traffic"]["variants"]
            for name in total:
                assert (found[name]["feedback"], found[name]["correct"]) == (total[name], right[name])
                assert found[name]["absoluteError"] == 2 * (total[name] - right[name])
            async with http.get(f"{second.metrics_url}/metrics") as reply:
                exposition = await reply.text()
            assert (
                f'mlneuron_online_accuracy{{variant="candidate"}} {right["candidate"] / total["candidate"]}'
                in exposition
            )
            again = await feedback(http, second, request_id=told["request_id"], outcome=outcome)
            assert (again[0], again[1]["recorded"]) == (200, False)


async def test_every_protocols_answer_has_an_id_to_judge_by(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    with fleet(tmp_path, "candidate") as two:
        two.write("all", two.entry("candidate", 100))
        await in_force(http, two.front, "all")
        tensor = {"name": "features", "datatype": "FP64", "shape": [1, 2], "data": [1, 2]}
        ids = []
        for path, body in (
            ("/v1/models/churn:predict", {"instances": [[1, 2]]}),
            ("/v2/models/churn/infer", {"inputs": [tensor]}),
        ):
            async with http.post(two.front.url + path, json=body) as reply:
                ids.append(reply.headers["X-Request-Id"])
        async with http.post(f"{two.front.url}/batch_predict", json={"batch_features": [[1, 2], [1, 2]]}) as reply:
            ids += [row["request_id"] for row in (await reply.json())["predictions"]]
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{two.front.grpc_port}")
        asking = channel.unary_unary(METHOD)(call().SerializeToString())
        await asking
        ids.append(dict(await asking.trailing_metadata())["x-request-id"])
        await channel.close()
        assert len(set(ids)) == 5
        for identifier in ids:
            status, told = await feedback(http, two.front, request_id=identifier, outcome=3 + ADDS["candidate"])
            assert (status, told["variant"], told["correct"], told["recorded"]) == (200, "candidate", True, True)


async def test_a_subject_and_a_callers_own_id_are_known_where_they_were_answered(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with fleet(tmp_path, "candidate") as two:
        two.write("all", two.entry("candidate", 100))
        await in_force(http, two.front, "all")
        _, told, headers = await predict(
            http, two.front.url, {"features": [1, 2], "user_id": 42}, X_Request_Id="order-7"
        )
        assert headers["X-Request-Id"] == "order-7"
        assert told["request_id"].startswith("order-7:candidate:")
        assert (await feedback(http, two.front, subject=42, outcome=103))[1]["correct"] is True
        assert (await feedback(http, two.front, request_id="order-7", outcome=4))[1]["correct"] is False
        for wrong, status, field in (
            ({"subject": "nobody", "outcome": 1}, 404, "subject"),
            ({"request_id": "order-8", "outcome": 1}, 404, "request_id"),
            ({"request_id": "order-7"}, 422, "outcome"),
            ({"outcome": 1}, 422, "request_id"),
            ({"request_id": "order-7", "subject": 42, "outcome": 1}, 422, "request_id"),
            ({"request_id": "order-7", "outcome": 1, "variant": "primary"}, 422, "variant"),
            ({"request_id": "order-7:gone:6924a1b3:n3ff0000000000000", "outcome": 1}, 422, "request_id"),
            ({"subject": [1], "outcome": 1}, 422, "subject"),
        ):
            code, answer = await feedback(http, two.front, **wrong)
            assert (code, answer["error"]["field"]) == (status, field), wrong


async def test_the_counters_of_several_processes_add_up_and_outlive_one(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with fleet(tmp_path, "candidate", workers=2) as two:
        two.write("half", two.entry("candidate", 50))
        await in_force(http, two.front, "half")
        sessions = [aiohttp.ClientSession() for _ in range(8)]

        async def ask(session: aiohttp.ClientSession, start: int) -> list[str]:
            found = []
            for number in range(start, start + 20):
                status, told, _ = await predict(session, two.front.url, {"features": [1, 2], "user_id": number})
                assert status == 200
                assert (await feedback(session, two.front, request_id=told["request_id"], outcome=3))[0] == 200
                found.append(told["model_variant"])
            return found

        names = await everyone(ask, sessions)
        await scored(http, two, names)
        psutil.Process(two.front.process.pid).children()[0].kill()

        async def replaced() -> bool:
            async with http.get(f"{two.front.metrics_url}/metrics") as reply:
                lines = (await reply.text()).splitlines()
            return {"mlneuron_worker_restarts_total 1.0", "mlneuron_workers_ready 2.0"} <= set(lines)

        await until_asked(replaced)
        await scored(http, two, names)
        await in_force(http, two.front, "half")
        await scored(http, two, [*names, *await everyone(ask, sessions)])
        for session in sessions:
            await session.close()


Ask = Callable[[aiohttp.ClientSession, int], Awaitable[list[str]]]


async def everyone(ask: Ask, sessions: Sequence[aiohttp.ClientSession]) -> list[str]:
    """Who answered, to all of them at the same time."""
    answers = await asyncio.gather(*(ask(session, 20 * place) for place, session in enumerate(sessions)))
    return [name for found in answers for name in found]


async def scored(http: aiohttp.ClientSession, two: Fleet, names: Sequence[str]) -> None:
    """Assert that so many answers and outcomes are counted; only the primary's are right."""
    found = (await stats(http, two.front))["traffic"]["variants"]
    for name in ("primary", "candidate"):
        count = names.count(name)
        assert (found[name]["requests"], found[name]["feedback"], sum(found[name]["latency"])) == (count,) * 3
        assert found[name]["correct"] == (count if name == "primary" else 0)


@pytest.mark.parametrize(
    ("predicted", "outcome", "expected"),
    [
        (1, 1, (True, 0.0)), (1.0, 1, (True, 0.0)), (0, 1, (False, 1.0)), (True, 1, (True, 0.0)),
        (0.3, 0.1 + 0.2, None),
        ("setosa", "setosa", (True, None)), ("setosa", "virginica", (False, None)), ("1", 1, (False, None)),
        ([1.0, 2.0], [1.0, 2.0], (True, None)), ([1.0, 2.0], [2.0, 1.0], (False, None)),
    ],
)  # fmt: skip
def test_an_outcome_is_what_was_predicted_or_not(predicted: Any, outcome: Any, expected: Any) -> None:
    told: dict[str, Any] = {}
    marks.Marks("candidate", lambda: 1.7e9).add(told, predicted)
    read = marks.read(told["request_id"])
    assert read is not None
    assert (read.variant, read.at) == ("candidate", 1_700_000_000)
    correct, distance = read.judged(outcome)
    if expected is None:
        assert correct
    else:
        assert (correct, distance) == expected


@pytest.mark.parametrize(
    "text",
    ["", "a", "a:b:c:d", "a:b:6924a1b3:n3ff000000000000", "a:b:6924a1b3:x3ff0000000000000", "a:b:-1:n3ff0000000000000",
     "a:b:ffffffffffffffff:n3ff0000000000000", ":::"],
)  # fmt: skip
def test_what_is_no_id_of_ours_is_not_read(text: str) -> None:
    assert marks.read(text) is None
