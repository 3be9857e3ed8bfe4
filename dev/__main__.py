"""`python3 -m dev …`, from the root of the repository."""

import argparse
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

from dev import cluster, controlplane, images, quickstart, tools
from dev.errors import DevError
from dev.paths import ROOT, state


def main() -> int:
    """Run one command; what a person has to mend is a message, not a trace."""
    arguments = _parser().parse_args()
    try:
        return int(arguments.run(arguments) or 0)
    except DevError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m dev", description=__doc__)
    commands = parser.add_subparsers(required=True)
    build = commands.add_parser("tools", help="build the programs into the cache")
    build.add_argument("name", nargs="*", help=f"of {', '.join(tools.TOOLS)}; by default what the bare node needs")
    build.set_defaults(run=_tools)
    sync = commands.add_parser("sync", help="make .venv as uv.lock says")
    sync.set_defaults(run=lambda _: tools.sync())
    up = commands.add_parser("up", help="cluster, images, operator, the iris example")
    up.set_defaults(run=lambda _: _alone(quickstart.up))
    down = commands.add_parser("down", help="end the cluster and leave nothing of it")
    down.set_defaults(run=lambda _: _alone(cluster.end))
    status = commands.add_parser("status", help="what this checkout's cluster is, and whether it runs")
    status.set_defaults(run=lambda _: print(cluster.choose(state()).status()))
    built = commands.add_parser("images", help="build the images: operator and runtime, or with `gpu` the GPU one too")
    built.add_argument("more", nargs="*", help="gpu: the GPU image as well (5 GB)")
    built.set_defaults(run=_images)
    gpus = commands.add_parser("gpus", help="let the cluster's nodes claim GPUs that they do not have")
    gpus.add_argument("count", nargs="?", type=int, default=4)
    gpus.set_defaults(run=lambda a: cluster.choose(state()).advertise_gpus(a.count))
    alone = commands.add_parser("controlplane", help="run a command (or wait) with a control plane on loopback")
    alone.add_argument("--state", type=Path, default=ROOT / ".dev" / "controlplane")
    alone.add_argument("command", nargs=argparse.REMAINDER)
    alone.set_defaults(run=lambda a: controlplane.run_with([c for c in a.command if c != "--"], a.state))
    return parser


def _alone(task: Callable[[cluster.Cluster], None]) -> None:
    """One command at a time makes or ends this checkout's cluster; a second one waits."""
    key = hashlib.sha256(str(state()).encode()).hexdigest()[:12]
    with tools.locked(f"cluster-{key}"):
        task(cluster.choose(state()))


def _tools(arguments: argparse.Namespace) -> None:
    for name in arguments.name or ("kubernetes", "helm", "coredns", "containerd", "kubeconform"):
        tools.ensure(name)


def _images(arguments: argparse.Namespace) -> None:
    for image in (images.OPERATOR, images.RUNTIME, *([images.RUNTIME_GPU] if arguments.more else [])):
        images.ensure(image)
        print(image.reference)


if __name__ == "__main__":
    sys.exit(main())
