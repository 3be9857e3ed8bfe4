"""``make bench-serving``: this runtime, the peers and the limits, in turn on one core under the same load.

Every server is started, asked 2,000 distinct rows from 32 connections (each answer compared with the model's own;
once), warmed, loaded at each number of connections, weighed and ended; then comes the next server, and after the last
the next round (A B C A B C …). Figures are medians over rounds. A way of a peer that the first round shows to be
beaten everywhere (by its own other way, or twofold by the best peer) is not repeated. `--servers` and `--models` run a
part: a name or a project of `catalog.py`, and a model of `models.py`.
"""

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence

from bench.report import Report
from bench.serving import load, models
from bench.serving.catalog import CATALOG, Server
from bench.serving.environments import NotInstalled, environment
from bench.serving.record import record
from bench.serving.results import Results
from bench.serving.table import table
from bench.serving.targets import CONNECTIONS
from bench.serving.visit import Plan, Visitor
from dev.paths import ROOT

FOLDER = ROOT / ".bench"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 if something could not run. Figures go to standard output and to .bench/serving.json."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server under test is ended as well
    arguments = parser().parse_args(argv)
    started, results = time.monotonic(), Results()
    load.install()
    chosen = installed(arguments.servers, arguments.models, results)
    plan = Plan(tuple(arguments.connections), arguments.seconds, FOLDER, pin())
    shutil.rmtree(FOLDER / "serving", ignore_errors=True)
    measure(Visitor(plan, results), chosen, arguments.models, arguments.rounds)
    print(f"\n{table(results, arguments.models, plan.connections)}\n")
    report = Report("serving")
    record(results, report)
    path = report.write(FOLDER).relative_to(ROOT)
    print(f"written to {path}, after {(time.monotonic() - started) / 60:.0f} minutes")
    return 1 if results.failures else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    known = list(dict.fromkeys(name for server in CATALOG for name in (server.project, server.name)))
    options = argparse.ArgumentParser(prog="python -m bench.serving", description="Measure how fast models are served.")
    options.add_argument("--servers", nargs="+", choices=known, default=known, metavar="NAME", help=", ".join(known))
    options.add_argument("--models", nargs="+", choices=models.MAKERS, default=list(models.MAKERS))
    options.add_argument("--connections", nargs="+", type=int, default=list(CONNECTIONS), metavar="N")
    options.add_argument("--seconds", type=int, default=2, help="of load at each number of connections (default 2)")
    options.add_argument("--rounds", type=int, default=3, help="over which medians are taken (default 3)")
    return options


def installed(names: list[str], of: list[str], results: Results) -> list[Server]:
    """The chosen servers whose environments could be made."""
    chosen = [server for server in CATALOG if {server.name, server.project} & set(names)]
    environment("ours_torch" if of == ["torch"] else "ours", FOLDER / "envs")  # for the bare model
    for server in list(chosen):
        for name in {server.environments[model] for model in of if server.environments.get(model)}:
            try:
                environment(name, FOLDER / "envs")
            except NotInstalled as error:
                results.failures[f"installing {name}"] = str(error)
                chosen = [other for other in chosen if other is not server]
    return chosen


def pin() -> int:
    """Keep this process, and the load that it starts, on the last core; the core for the servers."""
    *others, last = sorted(os.sched_getaffinity(0))
    if not others:
        raise SystemExit("two cores are needed: one for the servers, one for the load")
    os.sched_setaffinity(0, {last})
    return others[0]


def measure(visitor: Visitor, servers: list[Server], of: list[str], rounds: int) -> None:
    """All rounds of one model, then the next model."""
    for name in of:
        model, ways = (
            models.make(name, FOLDER / "models"),
            [server for server in servers if name in server.environments],
        )
        for number in range(1, rounds + 1):
            print(f"{name}, round {number} of {rounds}: {len(ways)} servers", flush=True)
            visitor.bare(model)
            for server in ways:
                visitor.visit(server, model)
            ways = [server for server in ways if not visitor.results.hopeless(name, server.name)]


if __name__ == "__main__":
    sys.exit(main())
