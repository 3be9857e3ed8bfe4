"""``make bench-soak``: does a server at full load hold on to anything?

One server (ARGS="--workers 2": several processes) answers requests of many sizes by every HTTP protocol from 64
connections for 10 minutes, then 10,000 malformed ones, then 10,000 connections that leave halfway. What its processes
hold is looked at after each part; the growth counts from the first minute's end, when every pool has its size.
"""

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from bench.report import Report
from bench.serving import load
from dev.paths import ROOT
from tests.runtime import soaking
from tests.runtime.soaking import Held
from tests.runtime.support import Process, config_for, runtime

CONNECTIONS, BAD, LEFT = 64, 10_000, 10_000
PART_SECONDS = 60
MEGABYTE = 1e6


def main() -> None:
    """Run the soak; its figures go to standard output and to .bench/soak.json."""
    arguments = parser().parse_args()
    load.install()
    report = Report("soak")
    with tempfile.TemporaryDirectory(prefix="bench-soak-") as name:
        folder = Path(name)
        config = config_for(model(folder), serving={"workers": arguments.workers})
        (folder / "config.json").write_text(json.dumps(config))
        load.write_requests(folder / "requests", soaking.good(2000))
        ports = ("--port", "18700", "--metrics-port", "18701", "--grpc-port", "18702")
        command = ("serve", "--config", str(folder / "config.json"), "--host", "127.0.0.1", *ports)
        with runtime(folder, *command, MLNEURON_LOG_LEVEL="error") as process:
            process.port = 18700
            asyncio.run(until_answered(process))
            soak(report, process, folder / "requests", arguments.seconds)
    print(f"written to {report.write(ROOT / '.bench').relative_to(ROOT)}")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="bench.soak", description="Look for what a server at full load holds on to.")
    made.add_argument("--seconds", type=int, default=600, help="of full load (default 600)")
    made.add_argument("--workers", type=int, default=1, help="processes that serve (default 1)")
    return made


def model(folder: Path) -> Path:
    """A classifier of the iris data."""
    data = load_iris()
    path = folder / "iris.joblib"
    joblib.dump(LogisticRegression(max_iter=500).fit(data.data, data.target_names[data.target]), path)
    return path


async def until_answered(process: Process) -> None:
    """Until the server takes connections; it says so nowhere at this level of its log."""
    while process.process.poll() is None:
        try:
            statuses = await soaking.send(process.port, soaking.good(1), 1, connections=1)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        if set(statuses) == {200}:
            return
    raise SystemExit(f"the server ended with {process.finish()}")


def soak(report: Report, process: Process, requests: Path, seconds: int) -> None:
    """All parts; raises LoadFailed when a good request is not answered well."""
    parts = max(2, seconds // PART_SECONDS)
    held = [look(report, process, "at the start")]
    for part in range(parts):
        sample = load.http(process.port, requests, CONNECTIONS, max(1, seconds // parts))
        report.figure(f"part {part + 1} of {parts}", sample.rate, "requests/s")
        held.append(look(report, process, f"after part {part + 1}"))
    statuses = asyncio.run(soaking.send(process.port, soaking.bad(), BAD))
    if any(not 400 <= status < 500 for status in statuses):
        raise load.LoadFailed(f"malformed requests were answered {dict(statuses)}")
    held.append(look(report, process, f"after {BAD} malformed requests"))
    asyncio.run(soaking.leave(process.port, LEFT))
    asyncio.run(soaking.send(process.port, soaking.good(100), 100))
    held.append(look(report, process, f"after {LEFT} connections that left"))
    report.figure("growth since part 1", (held[-1].resident - held[1].resident) / MEGABYTE, "MB")
    report.figure("files more than after part 1", held[-1].files - held[1].files, "files")


def look(report: Report, process: Process, when: str) -> Held:
    held = Held.by(process.process.pid)
    report.figure(f"memory {when}", held.resident / MEGABYTE, "MB")
    report.keep(f"files {when}", held.files, "files")
    return held


if __name__ == "__main__":
    main()
