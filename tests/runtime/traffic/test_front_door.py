"""A front door and its variants, over every protocol: who answers whom, and what happens when a variant does not."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import grpc.aio
import pytest
from mlneuron_runtime.traffic.slots import allocated, encoded
from mlneuron_runtime.traffic.table import PRIMARY

from tests.runtime.asking import stats
from tests.runtime.payload_sink import payload_sink
from tests.runtime.support import until, until_asked
from tests.runtime.traffic.asking import answering, call, called, in_force, predict
from tests.runtime.traffic.neurons import ADDS, VERSIONS, Fleet, fleet, member


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A primary that has a half, and two variants with a quarter each."""
    with fleet(tmp_path_factory.mktemp("three"), "candidate", "other") as found:
        yield found


async def split(http: aiohttp.ClientSession, three: Fleet, revision: str, **shares: float) -> None:
    three.write(revision, *(three.entry(name, percent) for name, percent in shares.items()))
    await in_force(http, three.front, revision)


async def test_each_subject_has_its_variant_which_says_so(http: aiohttp.ClientSession, three: Fleet) -> None:
    await split(http, three, "quarters", candidate=25, other=25)
    found = await answering(http, three.front.url, range(200))
    assert set(found.values()) == {PRIMARY, "candidate", "other"}
    assert await answering(http, three.front.url, range(200)) == found


async def test_every_protocol_assigns_alike(http: aiohttp.ClientSession, three: Fleet) -> None:
    await split(http, three, "alike", candidate=30, other=30)
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{three.front.grpc_port}")
    url = three.front.url
    tensor = {"name": "features", "datatype": "FP64", "shape": [1, 2], "data": [1, 2]}
    for subject, name in (await answering(http, url, range(30))).items():
        header = {"X-User-Id": subject}
        bodies: list[tuple[str, Any, dict[str, str]]] = [
            ("/predict", {"features": [1, 2]}, header),
            ("/batch_predict", {"batch_features": [[1, 2]], "user_id": subject}, {}),
            ("/v1/models/churn:predict", {"instances": [[1, 2]]}, header),
            ("/v1/models/churn:predict", {"instances": [[1, 2]], "user_id": subject}, {}),
            ("/v2/models/churn/infer", {"inputs": [tensor]}, header),
            ("/v2/models/churn/infer", {"inputs": [tensor], "parameters": {"user_id": subject}}, {}),
        ]
        for path, body, headers in bodies:
            async with http.post(url + path, json=body, headers=headers) as reply:
                told = await reply.text()
                assert reply.status == 200, told
                assert reply.headers["X-Neuron-Variant"] == name, path
                assert str(3 + ADDS[name]) in told
        for message, metadata in ((call(), (("x-user-id", subject),)), (call(user=subject), ())):
            assert await called(channel, message, metadata) == (3 + ADDS[name], name)
    await channel.close()


async def test_a_pin_beats_the_subject_and_an_unknown_one_is_told_the_known(
    http: aiohttp.ClientSession, three: Fleet
) -> None:
    await split(http, three, "pins", candidate=10, other=0)
    url, row = three.front.url, {"features": [1, 2], "user_id": "user-1"}
    for pin, name in (("other", "other"), ("3.0.0", "other"), ("primary", PRIMARY), ("1.0.0", PRIMARY)):
        assert (await predict(http, url, {**row, "model_version": pin}))[1]["model_variant"] == name
        assert (await predict(http, url, row, X_Neuron_Variant=pin))[1]["model_variant"] == name
    status, told, _ = await predict(http, url, {**row, "model_version": "9"})
    assert (status, told["error"]["field"]) == (404, "model_version")
    for known in ("primary", "latest", "1.0.0", "candidate", "2.0.0", "other", "3.0.0"):
        assert known in told["error"]["message"]
    assert (await predict(http, url, row, X_Neuron_Variant="9"))[0] == 404
    tensor = {"name": "features", "datatype": "FP64", "shape": [1, 2], "data": [1, 2]}
    for version, name in (("2.0.0", "candidate"), ("1.0.0", PRIMARY)):
        path = f"{url}/v2/models/churn/versions/{version}/infer"
        async with http.post(path, json={"inputs": [tensor]}) as reply:
            assert (reply.status, reply.headers["X-Neuron-Variant"]) == (200, name)
            assert (await reply.json())["model_version"] == version
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{three.front.grpc_port}")
    assert await called(channel, call(version="3.0.0")) == (3 + ADDS["other"], "other")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await called(channel, call(version="9"))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    await channel.close()


@pytest.mark.parametrize(
    ("path", "field", "answered"),
    [("/batch_predict", "batch_features", "predictions"), ("/v1/models/churn:predict", "instances", "predictions"),
     ("/v1/models/churn:predict", "inputs", "outputs")],
)  # fmt: skip
async def test_rows_of_a_batch_go_to_their_own_variants_and_come_back_in_order(
    http: aiohttp.ClientSession, three: Fleet, path: str, field: str, answered: str
) -> None:
    await split(http, three, f"rows-{field}", candidate=25, other=25)
    users = await answering(http, three.front.url, range(40))
    body = {field: [[place, 0] for place in range(40)], "user_ids": list(users)}
    async with http.post(three.front.url + path, json=body) as reply:
        told = await reply.json()
        assert reply.status == 200, told
        assert set(reply.headers["X-Neuron-Variant"].split(",")) == {PRIMARY, "candidate", "other"}
    values = [row["prediction"] if isinstance(row, dict) else row for row in told[answered]]
    assert values == [place + ADDS[name] for place, name in enumerate(users.values())]
    if field == "batch_features":
        assert [row["model_variant"] for row in told[answered]] == list(users.values())
        assert len({row["request_id"] for row in told[answered]}) == 40


async def test_a_bad_row_of_a_split_batch_is_told_by_its_own_place(http: aiohttp.ClientSession, three: Fleet) -> None:
    await split(http, three, "bad-row", candidate=50)
    users = await answering(http, three.front.url, range(20))
    rows: list[list[float]] = [[place, 0] for place in range(20)]
    rows[13] = [1]
    async with http.post(
        f"{three.front.url}/batch_predict", json={"batch_features": rows, "user_ids": list(users)}
    ) as reply:
        entries = (await reply.json())["predictions"]
    assert entries[13]["row"] == 13
    assert entries[13]["error"]["field"] == "batch_features[13]"
    assert "batch_features[13]" in entries[13]["error"]["message"]
    assert [entry["prediction"] for place, entry in enumerate(entries) if place != 13] == [
        place + ADDS[name] for place, name in enumerate(users.values()) if place != 13
    ]
    async with http.post(
        f"{three.front.url}/v1/models/churn:predict", json={"instances": rows, "user_ids": list(users)}
    ) as reply:
        assert reply.status == 400
        assert "instances[13]" in (await reply.json())["error"]
    async with http.post(
        f"{three.front.url}/batch_predict", json={"batch_features": rows, "user_ids": ["one"]}
    ) as reply:
        assert (reply.status, (await reply.json())["error"]["field"]) == (422, "user_ids")


async def test_without_a_subject_the_shares_are_kept_by_chance(http: aiohttp.ClientSession, three: Fleet) -> None:
    await split(http, three, "chance", candidate=50)
    names = [(await predict(http, three.front.url, {"features": [1, 2]}))[1]["model_variant"] for _ in range(100)]
    assert 15 < names.count("candidate") < 85


async def test_a_changed_table_moves_only_whom_it_must_and_loses_no_request(
    http: aiohttp.ClientSession, three: Fleet
) -> None:
    before = allocated({"candidate": 2000, "other": 2000})
    three.write("held", *entries(three, before, 20, 20))
    await in_force(http, three.front, "held")
    old = await answering(http, three.front.url, range(150))
    after = allocated({"candidate": 5000, "other": 2000}, before)
    done = False

    async def load() -> int:
        count = 0
        while not done:
            await answering(http, three.front.url, range(count, count + 5))
            count += 5
        return count

    under_load = [asyncio.create_task(load()) for _ in range(4)]
    three.write("moved", *entries(three, after, 50, 20))
    await in_force(http, three.front, "moved")
    new = await answering(http, three.front.url, range(150))
    done = True
    assert min(await asyncio.gather(*under_load)) > 0
    moved = {(old[subject], new[subject]) for subject in old if old[subject] != new[subject]}
    assert moved == {(PRIMARY, "candidate")}


def entries(three: Fleet, held: dict[str, frozenset[int]], candidate: float, other: float) -> list[dict[str, Any]]:
    return [
        three.entry("candidate", candidate, slots=encoded(held["candidate"])),
        three.entry("other", other, slots=encoded(held["other"])),
    ]


async def test_a_broken_table_leaves_the_last_good_one_in_force(http: aiohttp.ClientSession, three: Fleet) -> None:
    await split(http, three, "good", candidate=40)
    three.write("broken", three.entry("candidate", 60), three.entry("other", 60))

    async def so() -> bool:
        return (await stats(http, three.front))["traffic"]["problem"] is not None

    await until_asked(so)
    told = (await stats(http, three.front))["traffic"]
    assert told["revision"] == "good"
    assert "add up to 120 %" in told["problem"]
    await split(http, three, "mended", candidate=40)
    assert (await stats(http, three.front))["traffic"]["problem"] is None


async def test_a_killed_variant_costs_no_caller_an_answer(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    with fleet(tmp_path, "candidate") as two:
        two.write("all", two.entry("candidate", 100))
        await in_force(http, two.front, "all")
        assert set((await answering(http, two.front.url, range(20))).values()) == {"candidate"}
        done = False

        async def load(start: int) -> set[str]:
            names: set[str] = set()
            while not done:
                names |= set((await answering(http, two.front.url, range(start, start + 5))).values())
            return names

        under_load = [asyncio.create_task(load(start)) for start in range(0, 20, 5)]
        two.variants["candidate"].process.kill()

        async def open_circuit() -> bool:
            told = (await stats(http, two.front))["traffic"]["variants"]["candidate"]
            return bool(told["fallback"]["circuit_open"] and told["fallback"]["connect"])

        await until_asked(open_circuit)
        done = True
        assert set.union(*await asyncio.gather(*under_load)) >= {PRIMARY}
        status, told, headers = await predict(http, two.front.url, {"features": [1, 2], "user_id": "a"})
        assert (status, told["model_variant"], headers["X-Neuron-Variant"]) == (200, PRIMARY, PRIMARY)
        assert headers["X-Neuron-Fallback"].startswith("candidate; ")
        status, told, _ = await predict(http, two.front.url, {"features": [1, 2], "model_version": "candidate"})
        assert (status, told["error"]["field"]) == (503, "model_version")
        found = (await stats(http, two.front))["traffic"]["variants"]["candidate"]
        assert sum(found["fallback"].values()) - found["fallback"]["circuit_open"] == found["errors"]
        with member(tmp_path, "candidate") as again:
            two.variants["candidate"] = again
            two.write("again", two.entry("candidate", 100))
            await in_force(http, two.front, "again")
            assert set((await answering(http, two.front.url, range(20))).values()) == {"candidate"}


async def test_a_variant_that_hangs_is_waited_for_only_so_long(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    with fleet(tmp_path, "candidate", timeoutSeconds=1.0) as two:
        two.write("all", two.entry("candidate", 100))
        await in_force(http, two.front, "all")
        assert (await answering(http, two.front.url, range(1))) == {"user-0": "candidate"}
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{two.front.grpc_port}")
        os.kill(two.variants["candidate"].process.pid, signal.SIGSTOP)
        status, told, headers = await predict(http, two.front.url, {"features": [1, 2], "user_id": "a"})
        assert (status, told["model_variant"]) == (200, PRIMARY)
        assert headers["X-Neuron-Fallback"] == "candidate; timeout"
        assert await called(channel, call(user="a")) == (3, PRIMARY)
        await channel.close()
        found = (await stats(http, two.front))["traffic"]["variants"]["candidate"]
        assert (found["fallback"]["timeout"], found["errors"], found["requests"]) == (2, 2, 3)
        os.kill(two.variants["candidate"].process.pid, signal.SIGCONT)


async def test_assignment_outlives_a_restart_of_the_front_door(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    with fleet(tmp_path, "candidate") as two:
        two.write("thirds", two.entry("candidate", 33.33))
        await in_force(http, two.front, "thirds")
        before = await answering(http, two.front.url, range(60))
        assert set(before.values()) == {PRIMARY, "candidate"}
        with member(tmp_path, "primary", trafficFile=str(two.table)) as again:
            assert await answering(http, again.url, range(60)) == before


async def test_what_a_gateway_has_split_is_not_split_again(http: aiohttp.ClientSession, three: Fleet) -> None:
    """But a caller who names a variant gets it all the same."""
    await split(http, three, "given", candidate=100, other=0)
    url, row = three.front.url, {"features": [1, 2], "user_id": "user-1"}
    assert (await predict(http, url, row))[1]["model_variant"] == "candidate"
    before = (await stats(http, three.front))["traffic"]["variants"]
    status, told, headers = await predict(http, url, row, X_Mlneuron_Split="gateway")
    assert (status, told["model_variant"], headers["X-Neuron-Variant"]) == (200, PRIMARY, PRIMARY)
    batch = {"batch_features": [[1, 2], [1, 2]], "user_ids": ["user-1", "user-2"]}
    async with http.post(f"{url}/batch_predict", json=batch, headers={"X-Mlneuron-Split": "gateway"}) as reply:
        assert reply.headers["X-Neuron-Variant"] == PRIMARY
    pinned = await predict(http, url, row, X_Mlneuron_Split="gateway", X_Neuron_Variant="other")
    assert pinned[1]["model_variant"] == "other"
    after = (await stats(http, three.front))["traffic"]["variants"]
    news = {name: after[name]["requests"] - before[name]["requests"] for name in after}
    assert news == {PRIMARY: 2, "candidate": 0, "other": 1}


async def test_a_request_is_sent_on_once_at_most(http: aiohttp.ClientSession, three: Fleet) -> None:
    own = three.entry("candidate", 100) | {"url": three.front.url}
    three.write("circle", own)
    await in_force(http, three.front, "circle")
    status, told, _ = await predict(http, three.front.url, {"features": [1, 2], "user_id": "a"})
    assert (status, told["model_variant"], told["prediction"]) == (200, PRIMARY, 3)


async def test_the_payload_log_tells_the_version_that_answered(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    with payload_sink() as sink, ExitStack() as stack:
        two = stack.enter_context(fleet(tmp_path, "candidate"))
        two.write("half", two.entry("candidate", 50))
        log = {"url": sink.url, "mode": "Response"}
        front = stack.enter_context(member(tmp_path, "primary", trafficFile=str(two.table), payloadLog=log))
        logging = stack.enter_context(member(tmp_path, "candidate", payloadLog=log))
        two.write("logging", two.entry("candidate", 50) | {"url": logging.url})
        await in_force(http, front, "logging")
        names = await answering(http, front.url, range(12))
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{front.grpc_port}")
        for user in names:
            await called(channel, call(user=user))
        await channel.close()
        await until(lambda: len(sink.posted) == 24)
    told = Counter(posted.headers["ce-modelversion"] for posted in sink.posted)
    assert told == Counter(VERSIONS[name] for name in [*names.values(), *names.values()])


async def test_without_a_table_nothing_is_said_of_variants(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    with fleet(tmp_path) as alone:
        status, told, headers = await predict(http, alone.front.url, {"features": [1, 2], "user_id": "a"})
        assert status == 200
        assert set(told) == {"prediction", "confidence", "model_version", "inference_time_ms"}
        assert "X-Neuron-Variant" not in headers
        assert (await stats(http, alone.front))["traffic"]["revision"] is None


async def test_a_callers_token_goes_on_with_the_request(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("secret")
    with fleet(tmp_path, "candidate", tokenFile=str(tmp_path / "tokens")) as two:
        two.write("all", two.entry("candidate", 100))
        await in_force(http, two.front, "all")
        row = {"features": [1, 2]}
        _, told, _ = await predict(http, two.front.url, row, Authorization="Bearer secret")
        assert told["model_variant"] == "candidate"
        assert (await predict(http, two.front.url, row))[0] == 401
        async with http.post(f"{two.front.url}/feedback", json={"subject": "a", "outcome": 1}) as reply:
            assert reply.status == 401
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{two.front.grpc_port}")
        assert (await called(channel, call(), (("authorization", "Bearer secret"),)))[1] == "candidate"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await called(channel, call())
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        await channel.close()
