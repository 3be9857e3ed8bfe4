"""``make bench-traffic``: what splitting costs the front door, beside none, and beside one hop through nginx.

The front door (or nginx) has a core to itself; the variant, which is another process of the same runtime and model,
shares the other with the load generator. In turn, round by round: without a table, with tables that forward 0, 10, 50
and 100 % of the subjects, and nginx before the variant. Figures are medians over rounds. The processor time a request
of the process under test is the cost; throughput is also bounded by the other core.
"""

import argparse
import json
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from timeit import timeit
from typing import Any

import joblib
from mlneuron_runtime.traffic.table import parsed
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from bench.report import Report
from bench.serving import load
from bench.serving.catalog import Launch
from bench.serving.process import Running, running
from dev import tools
from dev.paths import ROOT

FOLDER = ROOT / ".bench"
PACKAGES = ("nginx-light",)

FRONT, VARIANT = 18_610, 18_620
FRONT_CORE, OTHER_CORE = 0, 1
SUBJECTS = 2_000

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream variant {{ server 127.0.0.1:{variant}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{front}; keepalive_requests 1000000;
    location / {{ proxy_pass http://variant; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""

WAYS = ("alone", "no table", "0 %", "10 %", "50 %", "100 %", "nginx")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark. Figures go to standard output and to .bench/traffic.json."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are ended as well
    options = argparse.ArgumentParser(prog="python -m bench.traffic", description=__doc__)
    options.add_argument("--connections", nargs="+", type=int, default=[1, 16], metavar="N")
    options.add_argument("--seconds", type=int, default=3)
    options.add_argument("--rounds", type=int, default=3)
    arguments = options.parse_args(argv)
    load.install()
    tools.install(PACKAGES)
    folder = FOLDER / "traffic"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    prepare(folder)
    figures: dict[tuple[str, int], list[Figures]] = {}
    with server(folder, "variant", VARIANT, OTHER_CORE, variant="candidate"):
        for _ in range(arguments.rounds):
            for way in WAYS:
                for connections in arguments.connections:
                    figure = measured(folder, way, connections, arguments.seconds)
                    figures.setdefault((way, connections), []).append(figure)
    report = Report("traffic")
    told(figures, arguments.connections, report)
    report.figure("assignment with three variants", assignment_us(), "us")
    print(f"written to {report.write(FOLDER).relative_to(ROOT)}")
    return 0


Figures = tuple[float, float, float, float]
"""Requests a second, p50 and p99 in milliseconds, microseconds of processor time a request at the front."""


def measured(folder: Path, way: str, connections: int, seconds: int) -> Figures:
    """One run against one way of answering."""
    with front(folder, way) as process:
        load.http(FRONT, folder / "requests", connections, 1)
        before, started = cpu_seconds(process), time.perf_counter()
        sample = load.http(FRONT, folder / "requests", connections, seconds)
        used = cpu_seconds(process) - before
        count = sample.rate * (time.perf_counter() - started)
    return sample.rate, sample.p50_ms, sample.p99_ms, used / count * 1e6


@contextmanager
def front(folder: Path, way: str) -> Iterator[Running]:
    """What the load is sent to."""
    if way == "nginx":
        command = ["nginx", "-e", str(folder / "nginx.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
        launch = Launch(command)
        with running(launch, FRONT_CORE, folder / "front.log", lambda: answers(FRONT)) as process:
            yield process
        return
    table = folder / "traffic.json"
    table.unlink(missing_ok=True)
    if way.endswith("%"):
        variant = {"name": "candidate", "percent": float(way[:-1]), "url": f"http://127.0.0.1:{VARIANT}"}
        table.write_text(json.dumps({"revision": way, "variants": [variant]}))
    serves = {} if way == "alone" else {"trafficFile": str(table)}
    with server(folder, "front", FRONT, FRONT_CORE, **serves) as process:
        yield process


@contextmanager
def server(folder: Path, name: str, port: int, core: int, variant: str = "primary", **serves: Any) -> Iterator[Running]:
    """One process of the runtime."""
    config = folder / f"{name}.json"
    model = {"name": "iris", "framework": "sklearn", "uri": "file:///iris", "path": str(folder / "iris.joblib")}
    neuron = {"namespace": "bench", "name": "iris", "variant": variant}
    content = {"neuron": neuron, "model": {**model, "version": "1"}, "serving": {"grpc": False, **serves}}
    config.write_text(json.dumps(content))
    ports = ["--host", "127.0.0.1", "--port", str(port), "--metrics-port", str(port + 1)]
    command = [sys.executable, "-m", "mlneuron_runtime", "serve", "--config", str(config), *ports]
    launch = Launch(command, {"MLNEURON_LOG_LEVEL": "error"})
    with running(launch, core, folder / f"{name}.log", lambda: answers(port)) as process:
        yield process


def answers(port: int) -> bool:
    command = ["curl", "-sf", "-o", "/dev/null", f"http://127.0.0.1:{port}/readyz"]
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603  # built here


def cpu_seconds(process: Running) -> float:
    """Of the process and its children."""
    tree = [process.process, *process.process.children(recursive=True)]
    return sum(one.cpu_times().user + one.cpu_times().system for one in tree)


def prepare(folder: Path) -> None:
    """The model, nginx's configuration, and a request for each subject."""
    data = load_iris()
    joblib.dump(LogisticRegression(max_iter=500).fit(data.data, data.target), folder / "iris.joblib")
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, front=FRONT, variant=VARIANT))
    draw = random.Random(0)  # noqa: S311  # the same subjects in every run
    load.write_requests(folder / "requests", (request(draw) for _ in range(SUBJECTS)))


def request(draw: random.Random) -> bytes:
    body = json.dumps({"features": [round(draw.uniform(0, 7), 1) for _ in range(4)]}).encode()
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-User-Id: user-%d\r\n"
    return head % draw.randrange(10**9) + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def told(figures: dict[tuple[str, int], list[Figures]], connections: Sequence[int], report: Report) -> None:
    """The medians, as a table."""
    print("| front | connections | requests/s | p50 ms | p99 ms | CPU us/request |\n|---|---|---|---|---|---|")
    for count in connections:
        for way in WAYS:
            rate, p50, p99, cpu = (statistics.median(column) for column in zip(*figures[way, count], strict=True))
            print(f"| {way} | {count} | {rate:,.0f} | {p50:.2f} | {p99:.2f} | {cpu:.0f} |")
            for name, value, unit in (("rate", rate, "requests/s"), ("p50", p50, "ms"), ("p99", p99, "ms")):
                report.keep(f"{way}, {count} connections: {name}", value, unit)
            report.keep(f"{way}, {count} connections: CPU", cpu, "us/request")


def assignment_us() -> float:
    """Of one subject among three variants; the best of five runs."""
    variants = [{"name": name, "percent": 10.0, "url": "http://a"} for name in ("a", "b", "c")]
    table = parsed(json.dumps({"revision": "1", "variants": variants}).encode(), "bench", "iris")
    number = 100_000
    return min(timeit(lambda: table.assigned(b"user-123456789"), number=number) for _ in range(5)) / number * 1e6


if __name__ == "__main__":
    sys.exit(main())
