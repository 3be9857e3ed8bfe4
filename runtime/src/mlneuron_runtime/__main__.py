"""The command line: `mlneuron-runtime serve` and `mlneuron-runtime fetch`.

Imports little at the top: how many threads numpy may start has to be said before it is imported.
"""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, get_args

import msgspec

from mlneuron_runtime import cpus, log
from mlneuron_runtime.failure import Fatal, report
from mlneuron_runtime.options import Options
from mlneuron_runtime.settings import (
    Config,
    Environment,
    Framework,
    ModelSource,
    environment,
    limit_threads,
    read_config,
    standalone,
    steady_clients,
)

CONFIG = Path("/etc/mlneuron/config.json")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; 0, or 78 after a failure that the manifest or the artifact has to mend."""
    started_at = time.time()
    signal.signal(signal.SIGTERM, leave)
    arguments = parser().parse_args(argv)
    variables = environment()
    by_hand = getattr(arguments, "path", None) is not None
    log.configure(variables.log_level, sys.stderr if by_hand else sys.stdout)
    try:
        if arguments.command == "fetch":
            fetch(arguments)
        elif arguments.command == "prepare":
            prepare(arguments, variables)
        else:
            return serve(arguments, variables, by_hand, started_at)
    except Fatal as failure:
        return report(failure, variables.termination_log, log.fatal)
    return 0


def leave(number: int, _frame: object) -> NoReturn:
    """Stop while fetching or importing. The kernel ignores a signal without a handler for process 1, which this
    is in a container: a deleted pod would wait out its grace period.
    """
    raise SystemExit(128 + number)


def parser() -> argparse.ArgumentParser:
    commands = argparse.ArgumentParser(prog="mlneuron-runtime", description="Serve one model over HTTP.")
    chosen = commands.add_subparsers(dest="command", required=True)
    serve = chosen.add_parser("serve", help="serve a model file, or what a config names")
    serve.add_argument("path", nargs="?", type=Path, metavar="PATH", help="a model file; without one, --config is read")
    serve.add_argument("--config", type=Path, default=CONFIG, help=f"the operator's config.json (default {CONFIG})")
    serve.add_argument("--framework", choices=get_args(Framework), help="for PATH; default: by its extension")
    serve.add_argument(
        "--workers",
        type=int,
        choices=range(1, 257),
        metavar="N",
        help="processes that serve (default: as --config says, or 1)",
    )
    serve.add_argument("--host", help="default 127.0.0.1 for PATH, else 0.0.0.0")
    serve.add_argument("--port", type=int, default=8080, help="predictions and probes (default 8080, 0: any)")
    serve.add_argument("--grpc-port", type=int, default=8081, help="where serving.grpc is on (default 8081, 0: any)")
    serve.add_argument("--metrics-port", type=int, default=9090, help="/metrics and /stats (default 9090, 0: any)")
    serve.add_argument("--acceleration", choices=("Auto", "Off"), help="default: as --config says, or Auto")
    fetch = chosen.add_parser("fetch", help="download the model that a config names, and prepare it")
    fetch.add_argument("--config", type=Path, default=CONFIG, help=f"the operator's config.json (default {CONFIG})")
    prepare = chosen.add_parser("prepare", help="what fetch and serve start to look for a faster engine")
    prepare.add_argument("--source", required=True, choices=["-"], help="the config's model, read from standard input")
    prepare.add_argument("--into", required=True, type=Path, help="the folder of engines")
    return commands


def fetch(arguments: argparse.Namespace) -> None:
    """The model to its place, and beside it the faster engine, if there is one; serving does not need it."""
    from mlneuron_runtime import sources
    from mlneuron_runtime.acceleration import process

    steady_clients()
    source = read_config(arguments.config).model
    sources.fetch(source)
    process.after_fetch(source)


def prepare(arguments: argparse.Namespace, variables: Environment) -> None:
    source = msgspec.json.decode(sys.stdin.buffer.read(), type=ModelSource)
    threads = cpus.available()
    limit_threads(threads)
    from mlneuron_runtime.acceleration import command

    command.prepare(source, arguments.into, variables.image, threads)


def serve(arguments: argparse.Namespace, variables: Environment, by_hand: bool, started_at: float) -> int:
    """Here, or in as many processes as the configuration says, which share the CPUs; the exit code."""
    config = _config(arguments, by_hand)
    threads = max(1, cpus.available() // config.serving.workers)
    limit_threads(threads)
    options = Options(
        host=arguments.host or ("127.0.0.1" if by_hand else "0.0.0.0"),  # noqa: S104  # a pod serves its cluster
        port=arguments.port,
        metrics_port=arguments.metrics_port,
        grpc_port=arguments.grpc_port,
        threads=threads,
        image=variables.image,
        greet=by_hand,
    )
    if config.serving.workers > 1:
        from mlneuron_runtime.workers import supervisor

        return supervisor.run(config, options, started_at)
    from mlneuron_runtime import server

    server.run(config, options, started_at)
    return 0


def _config(arguments: argparse.Namespace, by_hand: bool) -> Config:
    config = standalone(arguments.path, arguments.framework) if by_hand else read_config(arguments.config)
    if arguments.workers is not None:
        config.serving.workers = arguments.workers
    if arguments.acceleration is not None:
        config.model.acceleration = arguments.acceleration
    return config


if __name__ == "__main__":
    sys.exit(main())
