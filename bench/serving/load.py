"""The load: `wrk` for HTTP, `h2load` for gRPC. Both are C, one thread, closed loop, one request at a time a connection.

How busy each was is kept with its figures, since a load that is never idle measures itself.
"""

# ruff: noqa: S603 - commands are built here, of Debian's programs

import json
import re
import resource
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dev import tools

PACKAGES = ("wrk", "nghttp2-client", "util-linux")
WARM_UP_CONNECTIONS = 16
GRPC_PATH = "/inference.GRPCInferenceService/ModelInfer"
GRPC_FRAME = struct.Struct(">BI")
"""Whether it is compressed, and how long the message is that follows."""


class LoadFailed(Exception):
    """Answers that were no successes, or connections that broke."""


@dataclass(frozen=True)
class Sample:
    """One run of load against one server."""

    rate: float
    """Requests a second."""
    p50_ms: float
    p99_ms: float
    busy: float
    """The share of its core that the load generator used."""


def install() -> None:
    """Bring the load generators if they are missing."""
    tools.install(PACKAGES)


def write_requests(path: Path, requests: Iterable[bytes]) -> None:
    """The file that wrk.lua reads."""
    path.write_bytes(b"".join(b"%d\n%b" % (len(request), request) for request in requests))


def http(port: int, requests: Path, connections: int, seconds: int) -> Sample:
    """Send the requests of a file in turn; raises LoadFailed."""
    script = Path(__file__).with_name("wrk.lua")
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    command += ["--timeout", "30s", "--script", str(script), f"http://127.0.0.1:{port}", "--", str(requests)]
    output, busy = _run(command, seconds)
    figures = json.loads(next(line for line in output.splitlines() if line.startswith("{")))
    if figures["refused"] or figures["broken"]:
        raise LoadFailed(f"{figures['refused']} answers were no success, {figures['broken']} connections broke")
    if not figures["requests"]:
        raise LoadFailed(f"nothing was answered within {seconds} s")
    return Sample(figures["requests"] / figures["seconds"], figures["p50_ms"], figures["p99_ms"], busy)


def grpc(port: int, message: bytes, answer_bytes: int, connections: int, seconds: int) -> Sample:
    """Send one ModelInferRequest again and again (h2load has one body a run); raises LoadFailed.

    A refused call is HTTP 200 as well, with its status in a trailer that h2load does not read, and no message. So the
    answers have to hold as many bytes as that many good answers do.
    """
    with tempfile.TemporaryDirectory() as folder:
        body, log = Path(folder) / "body", Path(folder) / "log"
        body.write_bytes(GRPC_FRAME.pack(0, len(message)) + message)
        command = ["h2load", "--threads=1", f"--clients={connections}", "--max-concurrent-streams=1"]
        command += [f"--duration={seconds}", f"--data={body}", f"--log-file={log}"]
        command += ["--header=content-type: application/grpc", "--header=te: trailers"]
        output, busy = _run([*command, f"http://127.0.0.1:{port}{GRPC_PATH}"], seconds)
        latencies = _latencies(log)
    counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output)
    if counts is None or any(int(counts[group]) for group in (2, 3, 4)):
        raise LoadFailed(counts[0] if counts else "h2load printed no figures")
    if not len(latencies):
        raise LoadFailed(f"nothing was answered within {seconds} s")
    received = re.search(r"\((\d+)\) data", output)
    if received is None or int(received[1]) < 0.99 * int(counts[1]) * (answer_bytes + GRPC_FRAME.size):
        raise LoadFailed("answers were refusals: fewer bytes came than that many answers have")
    p50, p99 = np.percentile(latencies, [50, 99]) / 1e3
    return Sample(int(counts[1]) / seconds, float(p50), float(p99), busy)


def _latencies(log: Path) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Microseconds of each request: the third column."""
    return np.array([float(line.split("\t")[2]) for line in log.read_text().splitlines()])


def _run(command: list[str], seconds: int) -> tuple[str, float]:
    """What it printed, and the share of a core that it used."""
    before, started = _cpu_seconds_of_children(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    if done.returncode:
        raise LoadFailed(f"{command[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout, (_cpu_seconds_of_children() - before) / (time.perf_counter() - started)


def _cpu_seconds_of_children() -> float:
    """Of those that have ended: while a load runs, none other does."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
