"""The operator as a process of its own, as in its pod."""

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.ports import free_ports

from .kube import eventually


@dataclass(frozen=True)
class OperatorProcess:
    """A running operator."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        total = 0.0
        for line in self.metrics().splitlines():
            found = re.match(rf"{name}(?:\{{(.*)\}})? (\S+)$", line)
            if found and all(f'{key}="{value}"' in (found[1] or "") for key, value in labels.items()):
                total += float(found[2])
        return total

    def writes(self) -> float:
        """Requests other than reads that this process has made, its lease apart."""
        every = sum(
            self.metric("mlneuron_operator_api_requests_total", verb=verb) for verb in ("PATCH", "POST", "DELETE")
        )
        return every - self.metric("mlneuron_operator_api_requests_total", verb="POST", resource="leases")

    def metrics(self) -> str:
        """What Prometheus would scrape; empty while the process does not serve yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                text: str = answer.read().decode()
                return text
        except (urllib.error.URLError, ConnectionError):
            return ""

    def leads(self) -> bool:
        """Whether it holds the lease."""
        return self.metric("mlneuron_operator_leader") == 1

    def settled(self) -> bool:
        """Whether it has looked at every neuron and nothing is left to do now."""
        done = self.metric("mlneuron_operator_reconciles_total") >= self.metric("mlneuron_operator_neurons")
        idle = self.metric("mlneuron_operator_queue_depth") + self.metric("mlneuron_operator_queue_busy") == 0
        return self.leads() and done and idle

    def wait_until_leading(self, seconds: float = 30) -> None:
        """Return once it leads."""
        eventually("the operator leads", self._leads_or_tells_its_end, seconds)

    def _leads_or_tells_its_end(self) -> bool:
        code = self.process.poll()
        if code is not None:
            pytest.fail(f"the operator ended by itself with {code}; its log ends:\n{self.log.read_text()[-4000:]}")
        return self.leads()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def operator(kubeconfig: Path, log: Path, **env: str) -> Iterator[OperatorProcess]:
    """An operator on a cluster; ended with the block if it still runs."""
    (port,) = free_ports(1)
    variables = {
        **os.environ,
        "KUBECONFIG": str(kubeconfig),
        "MLNEURON_METRICS_PORT": str(port),
        "MLNEURON_STALLED_RETRY_SECONDS": "1",
        **env,
    }
    program = str(Path(sys.executable).with_name("mlneuron-operator"))
    with log.open("ab") as output:
        process = subprocess.Popen([program], env=variables, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        yield OperatorProcess(process, port, log)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
