"""A front door before variants that misbehave as HTTP servers can."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer as PeerServer
from mlneuron_runtime.traffic.client import Client, Unreachable
from mlneuron_runtime.traffic.traffic import Traffic

from tests.runtime import conftest
from tests.runtime.support import Reply, call, post
from tests.runtime.traffic.neurons import write_table

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def peer(handle: Handler) -> AsyncIterator[PeerServer]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    server = PeerServer(app)
    await server.start_server()
    try:
        yield server
    finally:
        await server.close()


@asynccontextmanager
async def before(
    handle: Handler, tmp_path: Any, percent: float = 100, **changes: Any
) -> AsyncIterator[tuple[conftest.Neuron, Traffic]]:
    """A front door in this process of which such a peer has a share of the subjects."""
    async with peer(handle) as server:
        table = tmp_path / "traffic.json"
        url = f"http://127.0.0.1:{server.port}"
        write_table(table, "1", {"name": "candidate", "percent": percent, "url": url, "version": "2.0.0"})
        serves = {"trafficFile": str(table), **changes}
        async with conftest.serving(serving=serves) as neuron:
            traffic = neuron.plane.traffic
            assert traffic is not None
            yield neuron, traffic
            await traffic.close()


async def ask(neuron: conftest.Neuron, **headers: str) -> Reply:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await post(neuron.app, "/predict", {"features": [1, 2]}, sent)


async def stats_of(neuron: conftest.Neuron) -> Any:
    return (await call(neuron.telemetry, "GET", "/stats")).json


def answers(status: int, body: str = '{"prediction": 99}') -> Handler:
    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body, content_type="application/json")

    return handle


@pytest.mark.parametrize(
    ("status", "reason"),
    [(500, "server_error"), (503, "unavailable"), (504, "timeout"), (404, "refused"), (302, "refused")],
)
async def test_what_is_no_good_answer_is_the_primarys_to_give(status: int, reason: str, tmp_path: Any) -> None:
    async with before(answers(status), tmp_path) as (neuron, traffic):
        reply = await ask(neuron)
        assert (reply.status, reply.json["prediction"], reply.json["model_variant"]) == (200, 3, "primary")
        assert reply.headers["x-neuron-fallback"] == f"candidate; {reason}"
        told = (await stats_of(neuron))["traffic"]["variants"]
        assert told["candidate"]["fallback"][reason] == told["candidate"]["errors"] == 1
        assert told["primary"]["requests"] == 0
        assert traffic.remotes["candidate"].circuit.state == "closed"


async def test_what_both_refuse_is_the_callers_fault(tmp_path: Any) -> None:
    async with before(answers(422), tmp_path) as (neuron, _traffic):
        reply = await post(neuron.app, "/predict", {"features": [1, 2, 3]})
        assert (reply.status, reply.json["error"]["field"]) == (422, "features")
        told = (await stats_of(neuron))["traffic"]["variants"]["candidate"]
        assert (told["errors"], told["fallback"]["refused"], told["requests"]) == (0, 0, 1)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [(422, "{}", "refused"), (500, "{}", "server_error"), (200, "<html>", "server_error"), (200, "{}", "server_error"),
     (200, '{"predictions": []}', "server_error"), (200, '{"predictions": 3}', "server_error")],
)  # fmt: skip
async def test_rows_that_a_variant_does_not_answer_are_the_primarys(
    status: int, body: str, reason: str, tmp_path: Any
) -> None:
    async with before(answers(status, body), tmp_path, percent=50) as (neuron, _traffic):
        rows = {"batch_features": [[place, 1] for place in range(30)], "user_ids": list(range(30))}
        reply = await post(neuron.app, "/batch_predict", rows)
        assert reply.status == 200
        assert [row["prediction"] for row in reply.json["predictions"]] == [place + 1 for place in range(30)]
        assert {row["model_variant"] for row in reply.json["predictions"]} == {"primary"}
        assert reply.headers["x-neuron-fallback"] == f"candidate; {reason}"
        told = (await stats_of(neuron))["traffic"]["variants"]["candidate"]
        assert (told["fallback"][reason], told["errors"]) == (1, 1)


async def test_a_batch_of_nobody_is_refused_as_without_variants(tmp_path: Any) -> None:
    async with before(answers(200), tmp_path) as (neuron, _traffic):
        reply = await post(neuron.app, "/batch_predict", {"batch_features": [], "user_ids": []})
        assert (reply.status, reply.json["error"]["field"]) == (422, "batch_features")


async def test_a_variant_gets_the_body_as_it_came_and_only_the_headers_that_concern_it(tmp_path: Any) -> None:
    seen: list[tuple[str, dict[str, str], bytes]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append((request.path_qs, dict(request.headers), await request.read()))
        return web.Response(text='{"prediction": 99}', content_type="application/json")

    async with before(handle, tmp_path, timeoutSeconds=8) as (neuron, _traffic):
        trace = f"00-{'a' * 32}-{'b' * 16}-01"
        reply = await ask(
            neuron, authorization="Bearer secret", cookie="private", traceparent=trace, x_request_id="order-7"
        )
    assert (reply.status, reply.json, reply.headers["x-request-id"]) == (200, {"prediction": 99}, "order-7")
    ((path, headers, body),) = seen
    assert (path, body) == ("/predict", b'{"features": [1, 2]}')
    lower = {name.lower(): value for name, value in headers.items()}
    assert lower["authorization"] == "Bearer secret"
    assert lower["traceparent"] == trace
    assert (lower["x-request-id"], lower["x-mlneuron-hop"], lower["x-request-deadline-ms"]) == ("order-7", "1", "4000")
    assert "cookie" not in lower


async def test_connections_are_kept_and_replaced_when_they_were_closed() -> None:
    peers: list[Any] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        peers.append(request.transport.get_extra_info("peername"))
        response = web.Response(text="x" * 100_000)
        if request.path == "/last":
            response.force_close()
        return response

    async with peer(handle) as server:
        client = Client("127.0.0.1", server.port or 0)
        for path in (b"/first", b"/last", b"/next"):
            response = await client.post(path, (), b"{}")
            assert (response.status, len(response.body)) == (200, 100_000)
        assert peers[0] == peers[1] != peers[2]
        client.close()
    with pytest.raises(Unreachable):
        await client.post(b"/", (), b"{}")


async def test_an_answer_in_chunks_is_read_whole() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in (b"one ", b"two ", b"three"):
            await response.write(part)
        await response.write_eof()
        return response

    async with peer(handle) as server:
        client = Client("127.0.0.1", server.port or 0)
        assert (await client.post(b"/", (), b"")).body == b"one two three"
        client.close()


async def test_a_peer_that_breaks_off_is_unreachable() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-length": "100"})
        await response.prepare(request)
        await response.write(b"some")
        assert request.transport is not None
        request.transport.close()
        return response

    async with peer(handle) as server:
        client = Client("127.0.0.1", server.port or 0)
        with pytest.raises(Unreachable, match="closed"):
            await client.post(b"/", (), b"")
        client.close()
