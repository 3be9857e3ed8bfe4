"""The gRPC port of a server in a process of its own: it drains with the others, and may be off."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import grpc.aio
from mlneuron_runtime.transport.grpc import inference_pb2

from tests.runtime.asking import open_gate, until_in_flight, until_refused
from tests.runtime.odd_models import BLOCK
from tests.runtime.support import config_for, runtime, serving
from tests.runtime.transport.test_grpc import Client, asked


async def test_what_is_in_flight_at_a_stop_is_answered(
    gated: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    with serving(tmp_path, config_for(gated)) as process:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{process.grpc_port}") as channel:
            client: Any = Client(channel, None, process.grpc_port)  # type: ignore[arg-type]  # it is in another process
            stuck = asyncio.ensure_future(client.call("ModelInfer", asked(fp64_contents=[BLOCK, 1, 2, 3])))
            await until_in_flight(http, process, 1)
            process.process.send_signal(signal.SIGTERM)
            await until_refused(http, f"{process.metrics_url}/readyz")
            assert not (await client.call("ServerReady", b"")).ready
            assert not (await client.call("ModelReady", inference_pb2.ModelReadyRequest(name="churn"))).ready
            open_gate(gated)
            told = await stuck
            assert list(told.outputs[0].contents.fp64_contents) == [BLOCK + 1, 5]
        assert await asyncio.to_thread(process.finish) == 0


def test_where_grpc_is_off_no_port_is_opened_for_it(iris: Path, tmp_path: Path) -> None:
    with serving(tmp_path, config_for(iris, serving={"grpc": False})) as process:
        assert process.grpc_port is None
        maps = Path(f"/proc/{process.process.pid}/maps").read_text()
        assert "cygrpc" not in maps


def test_a_grpc_port_that_is_taken_ends_the_process_with_its_name(iris: Path, tmp_path: Path) -> None:
    with serving(tmp_path, config_for(iris)) as first:
        port = str(first.grpc_port)
        (tmp_path / "second").mkdir()
        arguments = ("serve", str(iris), "--port", "0", "--metrics-port", "0", "--grpc-port", port)
        with runtime(tmp_path / "second", *arguments) as second:
            assert second.finish() == 78
        assert second.last_words["reason"] == "ConfigInvalid"
        assert f"port {port} on 127.0.0.1 cannot be used for gRPC" in second.last_words["message"]
