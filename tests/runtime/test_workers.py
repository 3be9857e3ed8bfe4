"""Several real processes that serve as one: they count as one, lose nobody else's requests, and replace each other."""

import asyncio
import json
import os
import pickle
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mlneuron_runtime import cpus

from tests.runtime.asking import predict, stats
from tests.runtime.odd_models import BLOCK
from tests.runtime.support import ANY_PORTS, Process, config_for, runtime, serving, until, until_asked

CLIENTS = 8


def two(path: Path, **limits: Any) -> dict[str, Any]:
    return config_for(path, serving={"workers": 2, **limits})


async def metrics(process: Process) -> dict[str, float]:
    """By name with labels. Over a connection of its own, so that any of the workers may answer."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{process.metrics_url}/metrics", headers={"Connection": "close"}) as reply,
    ):
        lines = [line.rpartition(" ") for line in (await reply.text()).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


async def until_ready(process: Process, workers: float = 2, restarts: float = 0) -> None:
    """Until so many are ready, after so many replacements."""

    async def so() -> bool:
        told = await metrics(process)
        return (told["mlneuron_workers_ready"], told["mlneuron_worker_restarts_total"]) == (workers, restarts)

    await until_asked(so)


def workers_of(process: Process) -> list[int]:
    """The workers' process ids."""
    pid = process.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def environment_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(line.split("=", 1) for line in lines if "=" in line)


def gone(pid: int) -> bool:
    """Whether it runs no more, be it reaped or not."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


class Clients:
    """Several that ask one after the other; each reconnects after an error."""

    def __init__(self, process: Process) -> None:
        self.codes: list[int] = []
        self.errors = 0
        self._process, self._ending = process, False
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(CLIENTS)]

    async def _ask(self) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http:
            while not self._ending:
                try:
                    code, _, headers = await predict(http, self._process, 5.1, 3.5, 1.4, 0.2)
                except aiohttp.ClientError:
                    self.errors += 1
                    continue
                self.codes.append(code)
                if headers.get("Connection") == "close":
                    return

    async def until_more(self, count: int = 200) -> None:
        enough = len(self.codes) + count
        await until(lambda: len(self.codes) >= enough)

    async def end(self) -> None:
        self._ending = True
        await asyncio.gather(*self._tasks)


@pytest.fixture
def server(iris: Path, tmp_path: Path) -> Iterator[Process]:
    with serving(tmp_path, two(iris)) as process:
        yield process


async def test_they_count_as_one_whichever_is_asked(server: Process) -> None:
    await until_ready(server)
    clients = Clients(server)
    await clients.until_more(400)
    await clients.end()
    asked = len(clients.codes)
    for _ in range(10):
        told = await metrics(server)
        assert told['mlneuron_requests_total{outcome="success"}'] == asked
        assert told['mlneuron_predictions_total{outcome="success"}'] == asked
        assert told['ml_prediction_duration_seconds_count{model_version="1.0.0"}'] == asked
        assert told["mlneuron_requests_in_flight"] == 0
        assert told["mlneuron_ready"] == 1
    server.process.send_signal(signal.SIGTERM)
    assert server.finish() == 0
    stopped = {event["worker"]: event["requests"] for event in server.events if event["event"] == "stopped"}
    assert set(stopped) == {1, 2}
    assert all(stopped.values()), "both took requests"
    assert sum(stopped.values()) == asked
    assert server.events[-1]["event"] == "all stopped"
    assert server.events[-1]["requests"] == asked


async def test_both_ports_tell_of_all(server: Process, http: aiohttp.ClientSession) -> None:
    await until_ready(server)
    assert (await predict(http, server, 5.1, 3.5, 1.4, 0.2))[0] == 200
    for _ in range(10):
        async with aiohttp.ClientSession() as fresh:
            told = await stats(fresh, server)
            async with fresh.get(f"{server.url}/health") as reply:
                health = await reply.json()
        assert (told["requests"], told["ready"], told["model"]["version"]) == (1, True, "1.0.0")
        assert (health["status"], health["total_predictions"]) == ("healthy", 1)
    told_metrics = await metrics(server)
    assert told_metrics["process_cpu_seconds_total"] > 1
    assert told_metrics["process_resident_memory_bytes"] > 100e6, "of both workers"


async def test_a_killed_worker_loses_what_it_was_at_and_nothing_else(server: Process) -> None:
    await until_ready(server)
    clients = Clients(server)
    await clients.until_more()
    before = await metrics(server)
    victim = workers_of(server)[0]
    os.kill(victim, signal.SIGKILL)
    await until(lambda: gone(victim))
    after = await metrics(server)
    await until_ready(server, restarts=1)
    await clients.until_more()
    await clients.end()
    assert set(clients.codes) == {200}, "neither the other worker nor the new one refuses anything"
    assert clients.errors <= CLIENTS, "at most what was in flight failed"
    final = await metrics(server)
    counters = [name for name in before if name.endswith("_total") or "_count" in name or "_bucket" in name]
    for earlier, later in ((before, after), (after, final)):
        assert not [name for name in counters if later[name] < earlier[name]], "a counter went down"
    assert final["mlneuron_requests_in_flight"] == 0
    assert final['mlneuron_requests_total{outcome="success"}'] >= len(clients.codes) - CLIENTS
    assert victim not in workers_of(server)
    assert len(workers_of(server)) == 2


async def test_a_model_that_hangs_is_killed_with_its_worker_and_told(
    gated: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    with serving(tmp_path, two(gated, stuckSeconds=1.0)) as process:
        await until_ready(process)
        with pytest.raises(aiohttp.ClientError):
            await predict(http, process, BLOCK, 0)
        assert (await predict(http, process, 1, 2))[0] == 200, "the other serves on"
        await until_ready(process, restarts=1)
        process.process.send_signal(signal.SIGTERM)
        assert process.finish() == 0
    hung, ended = [
        event for event in process.events if event["event"] in ("worker hangs and is killed", "worker ended")
    ]
    assert hung["what"].startswith("one call of the model has taken ")
    assert ended["ended_by"] == "SIGKILL"
    assert "odd_models.py" in ended["stacks"], "where it hung"
    assert ended["worker"] == hung["worker"]


async def test_an_event_loop_that_stands_still_is_replaced_while_the_others_serve(
    iris: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    with serving(tmp_path, two(iris, stuckSeconds=1.0)) as process:
        await until_ready(process)
        os.kill(workers_of(process)[0], signal.SIGSTOP)
        for _ in range(20):
            async with aiohttp.ClientSession() as fresh:
                assert (await predict(fresh, process, 5.1, 3.5, 1.4, 0.2))[0] == 200
        await until_ready(process, restarts=1)
        process.process.send_signal(signal.SIGTERM)
        assert process.finish() == 0
    (hung,) = [event for event in process.events if event["event"] == "worker hangs and is killed"]
    assert hung["what"].startswith("the event loop has stood still for ")


async def test_a_stop_under_load_loses_nothing(server: Process) -> None:
    await until_ready(server)
    clients = Clients(server)
    await clients.until_more()
    server.process.send_signal(signal.SIGTERM)
    await clients.end()
    assert server.finish() == 0
    assert set(clients.codes) == {200}
    assert clients.errors == 0
    assert server.events[-1]["requests"] == len(clients.codes)


async def test_the_first_signal_drains_and_the_second_ends_all_at_once(
    gated: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    with serving(tmp_path, two(gated)) as process:
        await until_ready(process)
        hanging = asyncio.create_task(predict(http, process, BLOCK, 0))

        async def busy() -> bool:
            return (await metrics(process))["mlneuron_requests_in_flight"] == 1

        await until_asked(busy)
        workers = workers_of(process)
        process.process.send_signal(signal.SIGTERM)
        process.wait_for("draining")
        process.process.send_signal(signal.SIGTERM)
        assert process.finish() == 128 + signal.SIGTERM
        with pytest.raises(aiohttp.ClientError):
            await hanging
        await until(lambda: all(gone(pid) for pid in workers))


async def test_workers_do_not_outlive_their_supervisor(server: Process) -> None:
    await until_ready(server)
    workers = workers_of(server)
    assert len(workers) == 2
    server.process.kill()
    await until(lambda: all(gone(pid) for pid in workers))


def ended(folder: Path, config: dict[str, Any]) -> Process:
    """A server that ended by itself."""
    (folder / "config.json").write_text(json.dumps(config))
    arguments = ("serve", "--config", str(folder / "config.json"), "--host", "127.0.0.1", *ANY_PORTS)
    with runtime(folder, *arguments) as process:
        process.finish()
    return process


def test_what_no_restart_can_mend_ends_all_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "m.joblib").write_bytes(b"garbage")
    process = ended(tmp_path, two(tmp_path / "m.joblib"))
    assert process.process.returncode == 78
    assert process.last_words["reason"] == "ModelLoadFailed"
    assert "cannot be unpickled" in process.last_words["message"]


class Ends:
    """Ends the process that loads it."""

    def __reduce__(self) -> tuple[Callable[[int], Any], tuple[int]]:
        return os._exit, (3,)


def test_workers_that_end_again_and_again_before_they_are_ready_end_the_whole(tmp_path: Path) -> None:
    (tmp_path / "m.joblib").write_bytes(pickle.dumps(Ends()))
    process = ended(tmp_path, two(tmp_path / "m.joblib"))
    assert process.process.returncode == 3
    told = [event for event in process.events if event["event"] == "worker ended"]
    assert {event["ended_by"] for event in told} == {"exit code 3"}
    assert max(event["early"] for event in told) == 3


def test_a_workers_crash_leaves_its_stacks_in_the_log(tmp_path: Path) -> None:
    """A fault in C code, as a model's library may have one."""

    class Faults:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[int, int]]:
            return os.kill, (0, signal.SIGSEGV)  # 0: its own process group

    (tmp_path / "m.joblib").write_bytes(pickle.dumps(Faults()))
    process = ended(tmp_path, two(tmp_path / "m.joblib"))
    assert process.process.returncode == 128 + signal.SIGSEGV
    told = [event for event in process.events if event["event"] == "worker ended"]
    assert {event["ended_by"] for event in told} == {"SIGSEGV"}
    assert "Segmentation fault" in told[0]["stacks"]


async def test_each_worker_gets_its_share_of_the_threads(server: Process) -> None:
    await until_ready(server)
    for pid in workers_of(server):
        assert int(environment_of(pid)["OMP_NUM_THREADS"]) == max(1, cpus.available() // 2)
