"""kubectl for tests: objects in and out as dictionaries, and waiting with a deadline."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
Object = dict[str, Any]


@dataclass(frozen=True)
class Kube:
    """One cluster, through the real kubectl."""

    kubectl: Path
    kubeconfig: Path

    def run(self, *args: str, stdin: str | None = None, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run kubectl; a failure fails the test with what kubectl said."""
        command = [str(self.kubectl), f"--kubeconfig={self.kubeconfig}", *args]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)
        if check and done.returncode:
            pytest.fail(f"kubectl {' '.join(args)}: {done.stderr}")
        return done

    def apply(self, *objects: Object) -> None:
        """Apply objects as a user would, with strict field validation."""
        self.run("apply", "--validate=strict", "-f", "-", stdin="\n---\n".join(map(json.dumps, objects)))

    def get(self, kind: str, name: str, namespace: str) -> Object | None:
        """An object, or None where there is none."""
        done = self.run("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
        found: Object | None = json.loads(done.stdout) if done.stdout else None
        return found

    def items(self, kind: str, namespace: str, selector: str = "") -> list[Object]:
        """All objects of a kind in a namespace."""
        done = self.run("get", kind, "-n", namespace, "-l", selector, "-o", "json")
        found: list[Object] = json.loads(done.stdout)["items"]
        return found

    def patch(self, kind: str, name: str, namespace: str, patch: Object | list[Object]) -> None:
        """Merge patch, or a JSON patch where a list is given."""
        how = "json" if isinstance(patch, list) else "merge"
        self.run("patch", kind, name, "-n", namespace, f"--type={how}", "-p", json.dumps(patch))

    def delete(self, kind: str, name: str, namespace: str) -> None:
        """Delete an object."""
        self.run("delete", kind, name, "-n", namespace, "--ignore-not-found")

    def condition(self, name: str, namespace: str, kind: str) -> Object | None:
        """A condition of a neuron, or None."""
        neuron = self.get("mlneuron", name, namespace) or {}
        conditions = neuron.get("status", {}).get("conditions", [])
        return next((item for item in conditions if item["type"] == kind), None)


def eventually(what: str, look: Callable[[], T | None], seconds: float = 20.0, every: float = 0.2) -> T:
    """The first truthy thing that ``look`` returns; fails the test after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what} (last seen: {found!r})")
        time.sleep(every)  # between polls with a deadline
