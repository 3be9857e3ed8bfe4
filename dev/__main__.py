"""`python3 -m dev …`, from the root of the repository."""

import argparse
import sys
from pathlib import Path

from dev import controlplane, tools
from dev.errors import DevError
from dev.paths import ROOT


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
    alone = commands.add_parser("controlplane", help="run a command (or wait) with a control plane on loopback")
    alone.add_argument("--state", type=Path, default=ROOT / ".dev" / "controlplane")
    alone.add_argument("command", nargs=argparse.REMAINDER)
    alone.set_defaults(run=lambda a: controlplane.run_with([c for c in a.command if c != "--"], a.state))
    return parser


def _tools(arguments: argparse.Namespace) -> None:
    for name in arguments.name or ("kubernetes", "helm", "coredns", "kubeconform"):
        tools.ensure(name)


if __name__ == "__main__":
    sys.exit(main())
