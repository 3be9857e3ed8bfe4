"""What hangs is noticed, told and ended; what was only kept from running is not."""

import json
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from mlneuron_runtime import tallies
from mlneuron_runtime.settings import Serving
from mlneuron_runtime.tallies import Tallies
from mlneuron_runtime.workers.watch import LOOK_SECONDS, Stillness, Watch

from tests.runtime.asking import open_gate, predict, status
from tests.runtime.odd_models import BLOCK
from tests.runtime.support import DEADLINE, config_for, environment, serving, until_asked


def present(pulse: float, call: float = 0.0) -> Tallies:
    one = Tallies()
    one.cells[tallies.PULSE], one.cells[tallies.CALL] = pulse, call
    return one


def test_what_moves_never_stands_still() -> None:
    stillness = Stillness()
    assert [stillness.look(value, now=float(value)) for value in range(1, 50)] == [0.0] * 49


def test_stillness_adds_up_over_looks() -> None:
    stillness = Stillness()
    looks = [stillness.look(7.0, now=100 + place * LOOK_SECONDS) for place in range(5)]
    assert looks == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert stillness.look(8.0, now=103) == 0.0


def test_a_machine_that_was_paused_for_an_hour_held_up_nobody() -> None:
    stillness = Stillness()
    stillness.look(7.0, now=100.0)
    assert stillness.look(7.0, now=3700.0) == 2 * LOOK_SECONDS


def test_an_event_loop_that_stops_beating_hangs() -> None:
    watch = Watch(limit=1.0)
    looks = [watch.look(present(pulse=5.0), now=10 + place * LOOK_SECONDS) for place in range(3)]
    assert looks == [None, None, "the event loop has stood still for 1.0 s"]
    assert watch.loop_hangs


def test_a_call_that_does_not_end_hangs_while_the_loop_beats_on() -> None:
    watch = Watch(limit=1.0)
    looks = [watch.look(present(pulse=10.0 + place, call=3.0), now=10 + place * LOOK_SECONDS) for place in range(3)]
    assert looks == [None, None, "one call of the model has taken 1.0 s"]
    assert not watch.loop_hangs


def test_many_calls_after_each_other_are_no_hang() -> None:
    watch = Watch(limit=1.0)
    assert not any(
        watch.look(present(pulse=10.0 + place, call=3.0 + place), now=10 + place * LOOK_SECONDS) for place in range(20)
    )


def test_a_worker_that_loads_or_idles_is_not_watched() -> None:
    watch = Watch(limit=1.0)
    assert not any(watch.look(present(pulse=0.0), now=10 + place * LOOK_SECONDS) for place in range(20))


HANGING = """
import asyncio, ctypes, time
from mlneuron_runtime import log, tallies
from mlneuron_runtime.workers import heart

async def main():
    own = tallies.Tallies()
    own.cells[tallies.PULSE] = 1.0
    watching = asyncio.create_task(heart.watch_itself(own, 0.5))
    await asyncio.sleep(0.01)
    {hang}

log.configure("info")
asyncio.run(main())
"""


def hanging(folder: Path, hang: str) -> "subprocess.CompletedProcess[str]":
    """A process whose event loop hangs in this statement, once it has ended."""
    return subprocess.run(  # our own program
        [sys.executable, "-c", HANGING.format(hang=hang)],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def test_a_process_whose_event_loop_hangs_ends_itself_with_its_stacks(tmp_path: Path) -> None:
    done = hanging(tmp_path, "time.sleep(600)")
    assert done.returncode == 70
    told, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert told["event"] == "the process hangs"
    assert "in main" in told["stacks"]["MainThread"]
    assert (last["event"], last["reason"]) == ("giving up", "Hang")
    assert "the event loop has stood still" in last["message"]


def test_not_even_code_that_keeps_the_interpreter_to_itself_goes_unnoticed(tmp_path: Path) -> None:
    done = hanging(tmp_path, "ctypes.PyDLL(None).sleep(600)")
    assert done.returncode == 1
    assert "Timeout" in done.stderr
    assert "in main" in done.stderr


async def test_a_model_that_hangs_in_the_only_process_is_told_by_livez_and_the_log(
    gated: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    with serving(tmp_path, config_for(gated, serving={"timeoutSeconds": 0.3, "stuckSeconds": 0.6})) as process:
        assert (await predict(http, process, BLOCK, 0))[0] == 504

        async def live(expected: int) -> bool:
            return await status(http, f"{process.metrics_url}/livez") == expected

        await until_asked(lambda: live(503))
        assert await status(http, f"{process.url}/readyz") == 503
        hang = process.wait_for("the process hangs")
        assert hang["what"].startswith("one call of the model has taken")
        assert "odd_models.py" in hang["stacks"]["model"]
        open_gate(gated)
        await until_asked(lambda: live(200))
        assert (await predict(http, process, 1, 2))[0] == 200


@pytest.mark.parametrize(
    ("timeout", "stuck", "limit"), [(10.0, None, 30.0), (0.1, None, 30.0), (60.0, None, 180.0), (10.0, 5.0, 5.0)]
)
def test_a_call_may_take_three_deadlines_and_half_a_minute_unless_said_otherwise(
    timeout: float, stuck: float | None, limit: float
) -> None:
    assert Serving(timeout_seconds=timeout, stuck_seconds=stuck).longest_call_seconds == limit
