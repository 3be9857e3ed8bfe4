"""From nothing to a prediction: cluster, images, chart, the iris example."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from dev import images, tools
from dev.cluster import DEFAULT_IMAGES, Cluster, remember
from dev.errors import DevError
from dev.images import OPERATOR, RUNTIME, RUNTIME_GPU
from dev.node import Node
from dev.paths import ROOT
from dev.ports import free_ports
from dev.process import run, wait_for
from dev.progress import say, step

# ruff: noqa: S603 - every command here is fixed

RELEASE, NAMESPACE = "mlneuron-operator", "mlneuron-system"
FLOWER = {"features": [5.1, 3.5, 1.4, 0.2]}


def up(cluster: Cluster) -> None:
    """Everything that `make up` does; what is there already is only brought up to date."""
    started = time.monotonic()
    say("Preparing (a first run takes 10 to 15 minutes, most of it building Kubernetes)")
    prepare(cluster)
    say("Cluster")
    remember(cluster)
    cluster.up()
    link_programs(cluster.state / "bin")
    cluster.load(DEFAULT_IMAGES)
    say("Operator and example")
    install_operator(cluster)
    apply_iris(cluster)
    show(cluster)
    say(f"\nDone in {time.monotonic() - started:.0f} s. For this shell:")
    say(f"  export KUBECONFIG={cluster.kubeconfig} PATH={cluster.state}/bin:$PATH")


def prepare(cluster: Cluster) -> None:
    """Build what is missing: programs on one thread, images, which mostly wait for the network, on another."""
    if not isinstance(cluster, Node):
        for name in ("kubectl", "helm"):
            tools.program(name)
        return
    tools.install(tools.NODE_PACKAGES)
    _together(_programs, _images)


def _programs() -> None:
    for name in ("kubernetes", "coredns", "containerd", "helm"):
        tools.ensure(name)


def _images() -> None:
    for image in DEFAULT_IMAGES:
        images.ensure(image)


def _together(*tasks: Callable[[], None]) -> None:
    with ThreadPoolExecutor() as pool:
        for future in [pool.submit(task) for task in tasks]:
            future.result()


def link_programs(folder: Path) -> None:
    """kubectl and helm in one folder for the PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("kubectl", "helm"):
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(tools.program(name))


def install_operator(cluster: Cluster, *settings: str) -> None:
    """Install or upgrade the chart; `settings` are further `--set` values."""
    operator, runtime = cluster.image(OPERATOR), cluster.image(RUNTIME)
    repository, _, tag = operator.rpartition(":")
    gpu = RUNTIME_GPU.alias if runtime == RUNTIME.reference else runtime
    values = (f"image.repository={repository}", f"image.tag={tag}", f"runtime.images.cpu={runtime}")
    pairs = [part for value in (*values, f"runtime.images.gpu={gpu}", *settings) for part in ("--set", value)]
    place = ("-n", NAMESPACE, "--create-namespace", "--wait", "--timeout=3m")
    with step("installing the operator with helm"):
        cluster.helm("upgrade", "--install", RELEASE, str(ROOT / "charts" / RELEASE), *place, *pairs)


def apply_iris(cluster: Cluster) -> None:
    """Train the example's model in the cluster, then serve it."""
    with step("training the iris model (examples/iris)"):
        for file in ("storage.yaml", "train.yaml"):
            cluster.kubectl("apply", "-f", "-", text=_manifest(cluster, file))
        cluster.kubectl("wait", "--for=condition=Complete", "job/train-iris-versions", "--timeout=180s")
    with step("waiting for the neuron iris to be Ready"):
        cluster.kubectl("apply", "-f", "-", text=_manifest(cluster, "neuron.yaml"))
        try:
            cluster.kubectl("wait", "--for=condition=Ready", "mlneuron/iris", "--timeout=180s")
        except DevError as error:
            said = cluster.kubectl("describe", "mlneuron", "iris")
            raise DevError(f"{error}\n{said}") from error


def _manifest(cluster: Cluster, file: str) -> str:
    text = (ROOT / "examples" / "iris" / file).read_text()
    return text.replace(RUNTIME.alias, cluster.image(RUNTIME)) if cluster.image(RUNTIME) != RUNTIME.reference else text


def show(cluster: Cluster) -> None:
    """The neuron as kubectl shows it, and one real prediction with the command that made it."""
    say("\n$ kubectl get mlneurons")
    say(cluster.kubectl("get", "mlneurons").rstrip())
    with reach(cluster, "iris", "default") as (base, prelude):
        curl = ["curl", "-s", f"{base}/predict", "-H", "content-type: application/json", "-d", json.dumps(FLOWER)]
        shown = f"curl -s {base}/predict -H 'content-type: application/json' -d '{json.dumps(FLOWER)}'"
        say("".join(f"\n$ {line}" for line in (*prelude, shown)))
        say(run(curl) if shutil.which("curl") else "(install curl to see the answer)")


@contextmanager
def reach(cluster: Cluster, service: str, namespace: str, port: int = 80) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A URL of a Service's port for this machine, and what has to run for it to work."""
    if cluster.direct:
        host = cluster.kubectl("get", "service", service, "-n", namespace, "-o", "jsonpath={.spec.clusterIP}")
        yield f"http://{host}" if port == 80 else f"http://{host}:{port}", ()
        return
    (local,) = free_ports(1)
    forward = ["port-forward", "-n", namespace, f"service/{service}", f"{local}:{port}"]
    kubectl = [str(tools.program("kubectl")), f"--kubeconfig={cluster.kubeconfig}"]
    process = subprocess.Popen([*kubectl, *forward], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None  # noqa: S101 - a pipe, as asked
        wait_for("the port-forward", lambda: bool(process.stdout and process.stdout.readline()), 20)
        yield f"http://localhost:{local}", (f"kubectl {' '.join(forward)} &",)
    finally:
        process.terminate()
        process.communicate()
