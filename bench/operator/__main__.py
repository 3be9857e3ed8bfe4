"""``make bench-operator``: a real API server with its controllers, and the operator as a process of its own.

(a) 1,000 neurons are created at once: how long until all their children exist, against a bare loop that applies the
same children; requests, CPU and memory of the operator. (b) 3,000 settled neurons: what a restart writes and costs.
"""

import asyncio
import tempfile
import time
from pathlib import Path

import psutil
from kubernetes import config
from kubernetes.client import Configuration
from mlneuron_operator.cluster import Cluster
from mlneuron_operator.metrics import Metrics
from prometheus_client import CollectorRegistry

from bench.operator import workload
from bench.report import Report
from dev import controlplane, tools
from tests.support.kube import Kube
from tests.support.operator_process import OperatorProcess, operator

ROOT = Path(__file__).parents[2]
FIRST, SETTLED = 1000, 3000
QUIET_SECONDS = 8.0


def main() -> None:
    """Run the benchmark; its figures go to standard output and to .bench/operator.json."""
    report = Report("operator")
    with tempfile.TemporaryDirectory(prefix="bench-operator-") as folder:
        with controlplane.running(Path(folder) / "limit") as kubeconfig:
            limit = asyncio.run(measure_limit(prepare(kubeconfig)))
        with controlplane.running(Path(folder) / "start") as kubeconfig:
            kube = prepare(kubeconfig)
            with operator(kubeconfig, Path(folder) / "start.log", MLNEURON_LOG_LEVEL="WARNING") as process:
                process.wait_until_leading()
                asyncio.run(measure_start(report, kube, process, limit))
        with controlplane.running(Path(folder) / "restart", controllers_qps=1000) as kubeconfig:
            kube = prepare(kubeconfig)
            with operator(kubeconfig, Path(folder) / "settle.log", MLNEURON_LOG_LEVEL="WARNING") as process:
                process.wait_until_leading()
                asyncio.run(settle(kube, process))
            with operator(kubeconfig, Path(folder) / "restart.log", MLNEURON_LOG_LEVEL="WARNING") as process:
                measure_restart(report, process)
    print(f"written to {report.write(ROOT / '.bench').relative_to(ROOT)}")


def prepare(kubeconfig: Path) -> Kube:
    """A control plane with the CRDs and the operator's namespace."""
    kube = Kube(tools.ensure("kubernetes") / "kubectl", kubeconfig)
    kube.run("apply", "--server-side", "-f", str(ROOT / "crds"))
    kube.run("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    kube.run("create", "namespace", "mlneuron-system")
    return kube


def client(kube: Kube) -> Cluster:
    """The benchmark's own connection."""
    configuration = Configuration()
    config.load_kube_config(config_file=str(kube.kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
    return Cluster(configuration, Metrics(CollectorRegistry()))


async def measure_limit(kube: Kube) -> float:
    """Seconds in which a bare loop applies the children of the first neurons."""
    async with client(kube) as cluster:
        start = time.perf_counter()
        await workload.apply_children(cluster, FIRST)
        return time.perf_counter() - start


async def measure_start(report: Report, kube: Kube, process: OperatorProcess, limit: float) -> None:
    """(a): neurons at once."""
    requests, cpu = api_requests(process), cpu_seconds(process)
    async with client(kube) as cluster:
        before, start = await workload.counts(cluster), time.perf_counter()
        await workload.create(cluster, "a", FIRST)
        await workload.until_complete(cluster, before, FIRST, every=0.25)
        elapsed = time.perf_counter() - start
    await quiet(process)
    report.figure(f"a: {FIRST} neurons at once, until all {workload.CHILDREN * FIRST} children exist", elapsed, "s")
    report.figure("a: the same children by a bare loop of applies (limit)", limit, "s")
    report.figure("a: ratio to the limit", elapsed / limit, "x")
    report.figure("a: API requests a neuron until quiet", (api_requests(process) - requests) / FIRST, "requests")
    report.figure("a: CPU of the operator until quiet", cpu_seconds(process) - cpu, "CPU-s")
    report.figure("a: peak memory of the operator", peak_megabytes(process), "MB")


async def settle(kube: Kube, process: OperatorProcess) -> None:
    """Create the neurons of (b) and wait until there is nothing left to write."""
    async with client(kube) as cluster:
        before = await workload.counts(cluster)
        await workload.create(cluster, "b", SETTLED)
        await workload.until_complete(cluster, before, SETTLED, every=2)
    await quiet(process)


async def quiet(process: OperatorProcess) -> None:
    """Wait until the operator has written nothing for a while."""
    writes, since = -1.0, time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        if process.writes() != writes:
            writes, since = process.writes(), time.monotonic()
        await asyncio.sleep(0.5)


def measure_restart(report: Report, process: OperatorProcess) -> None:
    """(b): a restart with all neurons settled, from the start of the process."""
    start = time.perf_counter()
    while not (process.settled() and process.metric("mlneuron_operator_neurons") == SETTLED):
        time.sleep(0.25)
    elapsed, cpu = time.perf_counter() - start, cpu_seconds(process)
    asyncio.run(quiet(process))
    report.figure(f"b: restart with {SETTLED} settled neurons, until all are looked at", elapsed, "s")
    report.figure("b: writes", process.writes(), "requests")
    report.figure("b: CPU of the operator until settled", cpu, "CPU-s")
    memory = psutil.Process(process.process.pid).memory_info().rss / 1e6
    report.figure("b: memory of the operator when settled", memory, "MB")
    report.figure("b: peak memory of the operator", peak_megabytes(process), "MB")
    report.figure("b: bound of 150 MB + 20 kB a neuron", 150 + 0.02 * SETTLED, "MB")


def api_requests(process: OperatorProcess) -> float:
    """Requests to the API server, the lease apart."""
    name = "mlneuron_operator_api_requests_total"
    return process.metric(name) - process.metric(name, resource="leases")


def cpu_seconds(process: OperatorProcess) -> float:
    """User and system time of the operator."""
    times = psutil.Process(process.process.pid).cpu_times()
    return float(times.user + times.system)


def peak_megabytes(process: OperatorProcess) -> float:
    """High-water mark of resident memory."""
    text = Path(f"/proc/{process.process.pid}/status").read_text()
    line = next(line for line in text.splitlines() if line.startswith("VmHWM"))
    return float(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    main()
