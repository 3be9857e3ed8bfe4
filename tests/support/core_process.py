"""The fake federation core as a process of its own, for an operator that is one too."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class CoreProcess:
    """A running fake core."""

    url: str

    def row(self, neuron_id: str) -> dict[str, Any] | None:
        """What the core holds of a neuron."""
        with urllib.request.urlopen(f"{self.url}/_state", timeout=5) as answer:
            found: dict[str, Any] | None = json.load(answer)["rows"].get(neuron_id)
            return found

    def switch(self, **switches: Any) -> None:
        """Break or mend the core."""
        body = json.dumps(switches).encode()
        request = urllib.request.Request(f"{self.url}/_switch", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5):
            pass


@contextmanager
def core(host: str = "127.0.0.1", port: int = 0) -> Iterator[CoreProcess]:
    """A fake core; ended with the block."""
    command = [sys.executable, "-m", "tests.support.fake_core", "--host", host, "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield CoreProcess(process.stdout.readline().strip())
        finally:
            process.terminate()
