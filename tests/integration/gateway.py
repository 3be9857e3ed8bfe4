"""A neuron behind a Gateway: the Gateway API, pods that are real runtimes on loopback, and requests through all of it.

There is no node here. What a kubelet and the endpoints' controllers would do is done by hand: pods are said to be ready
at an address of loopback, which endpoints may only name as a host name would be, and get the newest traffic table.
"""

import http.client
import itertools
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib

from dev import tools
from dev.ports import free_ports
from tests.runtime.odd_models import POISON, SummingTwo
from tests.runtime.support import Process, config_for, runtime
from tests.runtime.traffic.neurons import adding
from tests.support.kube import Kube, Object, eventually
from tests.support.traefik import traefik

from .variants import table

HOST = "churn.example.com"
METRICS_PORT = "9090"

_addresses = (f"127.77.{number // 250}.{number % 250 + 1}" for number in itertools.count())


@contextmanager
def gateway_api(kube: Kube) -> Iterator[None]:
    """A cluster that knows the Gateway API until the block ends."""
    files = [part for path in tools.gateway_crds() for part in ("-f", str(path))]
    kube.run("apply", "--server-side", *files)
    kube.run("wait", "--for=condition=Established", "--timeout=30s", *files)
    try:
        yield
    finally:
        kube.run("delete", "--wait", *files)


@dataclass
class Gate:
    """A Gateway that Traefik carries out; what is asked of it goes through its port."""

    port: int

    def route(self, path: str = "/", host: str = HOST, name: str = "public") -> Object:
        return {"host": host, "path": path, "gateway": {"parentRefs": [{"name": name, "namespace": "default"}]}}


@contextmanager
def gate(kube: Kube, log: Path) -> Iterator[Gate]:
    """Its listener is for subdomains of example.com, in routes of any namespace."""
    (port,) = free_ports(1)
    with gateway_api(kube), traefik(kube.kubeconfig, port, log):
        kube.apply(*_gateway(port))
        eventually("a gateway", lambda: _programmed(kube), 60)
        yield Gate(port)


def _gateway(port: int) -> tuple[Object, Object]:
    version = "gateway.networking.k8s.io/v1"
    listener = {
        "name": "web",
        "protocol": "HTTP",
        "port": port,
        "hostname": "*.example.com",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    return (
        {
            "apiVersion": version,
            "kind": "GatewayClass",
            "metadata": {"name": "traefik"},
            "spec": {"controllerName": "traefik.io/gateway-controller"},
        },
        {
            "apiVersion": version,
            "kind": "Gateway",
            "metadata": {"name": "public", "namespace": "default"},
            "spec": {"gatewayClassName": "traefik", "listeners": [listener]},
        },
    )


def _programmed(kube: Kube) -> bool:
    found = kube.get("gateway", "public", "default") or {}
    conditions = found.get("status", {}).get("conditions", ())
    return any(item["type"] == "Accepted" and item["status"] == "True" for item in conditions)


@dataclass
class Answers:
    """What came of requests: by variant, and everything that was no good answer."""

    by: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.by.values()) + len(self.bad)


class Caller:
    """Somebody outside the cluster, over one connection."""

    def __init__(self, port: int, path: str = "/predict") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._path = path

    def ask(self, row: Any = (1, 2), headers: dict[str, str] | None = None, **body: Any) -> tuple[int, Any, bytes]:
        """Status, headers and body."""
        sent = {"Host": HOST, "Content-Type": "application/json", **(headers or {})}
        text = json.dumps({"features": list(row), **body} if row is not None else body)
        self._connection.request("POST", self._path, text, sent)
        answer = self._connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def close(self) -> None:
        self._connection.close()

    def ask_often(self, count: int, answers: Answers, **how: Any) -> Answers:
        for _ in range(count):
            status, headers, body = self.ask(**how)
            if status == 200:
                answers.by[headers["X-Neuron-Variant"]] += 1
            else:
                answers.bad.append((status, body))
        return answers


@contextmanager
def calling(port: int, path: str = "/predict", **how: Any) -> Iterator[Answers]:
    """Requests without a pause while the block lasts."""
    answers, done = Answers(), threading.Event()

    def call() -> None:
        with closing(Caller(port, path)) as caller:
            while not done.is_set():
                caller.ask_often(1, answers, **how)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield answers
    finally:
        done.set()
        thread.join()


@dataclass
class Node:
    """What serves a neuron named churn, by the names of its variants."""

    kube: Kube
    space: str
    folder: Path
    stack: ExitStack
    processes: dict[str, tuple[str, Process]] = field(default_factory=dict)
    _revision: str | None = None

    def serve(self, name: str, model: Any) -> None:
        """Start a variant's pod (there is one), and let it be reached and read."""
        address, own = next(_addresses), self.folder / name
        own.mkdir()
        joblib.dump(model, own / "model.joblib")
        config = config_for(own / "model.joblib", neuron={"variant": name, "namespace": self.space})
        if name == "primary":
            config["serving"]["trafficFile"] = str(self.folder / "traffic.json")
        (own / "config.json").write_text(json.dumps(config))
        listen = ("--host", address, "--port", "0", "--grpc-port", "0", "--metrics-port", METRICS_PORT)
        process = self.stack.enter_context(runtime(own, "serve", "--config", str(own / "config.json"), *listen))
        process.port = process.wait_for("listening")["port"]
        process.wait_for("ready")
        threading.Thread(target=_drain, args=(process,), daemon=True).start()
        self.processes[name] = address, process
        self._publish(name, address, process.port)
        self.say(name, ready=True)

    def say(self, name: str, *, ready: bool) -> None:
        """Of a variant's pod, as a kubelet would."""
        address, _ = self.processes[name]
        selector = f"ml.findawise.io/neuron=churn,ml.findawise.io/variant={name}"
        for pod in eventually(f"a pod of {name}", lambda: self.kube.items("pods", self.space, selector)):
            condition = {"type": "Ready", "status": "True" if ready else "False"}
            told = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [condition]}
            how = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": told}))
            self.kube.run("patch", "pod", pod["metadata"]["name"], "-n", self.space, *how)

    def caller(self, port: int, path: str = "/predict") -> Caller:
        """One whose connection ends with the test."""
        return self.stack.enter_context(closing(Caller(port, path)))

    def bring_table(self) -> None:
        """To the front door, where it is new; with the addresses that there are here."""
        found = table(self.kube, self.space)
        if found is None or found["revision"] == self._revision:
            return
        for entry in found["variants"]:
            address, process = self.processes[entry["name"]]
            entry |= {"url": f"http://{address}:{process.port}", "grpc": None}
        fresh = self.folder / "traffic.json.new"
        fresh.write_text(json.dumps(found))
        fresh.replace(self.folder / "traffic.json")
        self._revision = found["revision"]

    def condition(self, kind: str = "TrafficApplied") -> Object:
        self.bring_table()
        return self.kube.condition("churn", self.space, kind) or {}

    def _publish(self, name: str, address: str, port: int) -> None:
        service = "churn" if name == "primary" else f"churn-{name}"
        self.kube.apply(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": f"{service}-by-hand",
                    "namespace": self.space,
                    "labels": {
                        "kubernetes.io/service-name": service,
                        "endpointslice.kubernetes.io/managed-by": "tests",
                    },
                },
                "addressType": "FQDN",
                "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
                "endpoints": [{"addresses": [address], "conditions": {"ready": True, "serving": True}}],
            }
        )


def _drain(process: Process) -> None:
    """Take the log, else a pod that says much waits for somebody to."""
    assert process.process.stdout is not None
    for _ in process.process.stdout:
        pass


PRIMARY_MODEL = adding(0.0)
"""Answers everything."""
CANDIDATE_MODEL = SummingTwo()
"""Fails on BAD_ROW."""
BAD_ROW = (POISON, 2)
