"""A server's memory and files stay what they are, however much and whatever it is asked. `make bench-soak` does it for
minutes at full load.
"""

import threading
from pathlib import Path

import pytest

from tests.runtime import soaking
from tests.runtime.soaking import Held
from tests.runtime.support import Process, config_for, serving, until

WARM_UP, GOOD, BAD, LEFT = 3000, 6000, 10_000, 1000

GROWTH = 12_000_000
"""Bytes: a leak of one request's objects (some kilobytes) would be several times as much."""


def read_log(process: Process) -> None:
    """So that the log's pipe never fills."""
    assert process.process.stdout is not None
    threading.Thread(target=process.process.stdout.read, daemon=True).start()


@pytest.mark.parametrize("workers", [1, 2])
async def test_memory_and_files_stay_flat_under_good_and_bad_requests(iris: Path, tmp_path: Path, workers: int) -> None:
    good, bad = soaking.good(500), soaking.bad()
    with serving(tmp_path, config_for(iris, serving={"workers": workers})) as process:
        read_log(process)
        await soaking.send(process.port, good, WARM_UP)
        await soaking.send(process.port, bad, 5 * len(bad))
        await soaking.leave(process.port, LEFT // 10)
        before = Held.by(process.process.pid)
        assert set(await soaking.send(process.port, good, GOOD)) == {200}
        refused = await soaking.send(process.port, bad, BAD)
        await soaking.leave(process.port, LEFT)
        assert sum(refused.values()) == BAD
        assert all(400 <= status < 500 for status in refused), refused
        assert set(await soaking.send(process.port, good, 100)) == {200}
        await until(lambda: Held.by(process.process.pid).files <= before.files)
        after = Held.by(process.process.pid)
        assert after.resident - before.resident < GROWTH * workers
        assert after.threads <= before.threads
