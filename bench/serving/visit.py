"""One visit to one server with one model: start it, check it, load it, weigh it, end it."""

# ruff: noqa: S603 - commands come from the catalog, never from outside

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.serving import correctness, load
from bench.serving.catalog import LIMITS, Place, Server
from bench.serving.environments import environment
from bench.serving.models import BATCH, INPUTS, Model
from bench.serving.process import NotServing, Running, running
from bench.serving.protocols import PROTOCOLS, Protocol
from bench.serving.results import Results, Start
from dev.ports import free_ports

ROW_PROTOCOLS = ("guide batch", "v2", "v2 binary")
ROW_CONNECTIONS = 4
ROW_BODIES = 10
WARM_UP_SECONDS = 3
"""Before large bodies are measured: time for a library to be loaded that only such calls need."""


@dataclass(frozen=True)
class Plan:
    """What a visit does, and where: servers on one core, this process and the load on another."""

    connections: tuple[int, ...]
    seconds: int
    folder: Path
    core: int


class Visitor:
    """Visits servers by a plan and keeps what it finds."""

    def __init__(self, plan: Plan, results: Results) -> None:
        self.plan = plan
        self.results = results

    def visit(self, server: Server, model: Model) -> None:
        """Measure once; what fails is told in the results."""
        key = f"{model.name}, {server.name}"
        try:
            self._visit(server, model)
        except (NotServing, load.LoadFailed, subprocess.TimeoutExpired) as error:
            self.results.failures[key] = str(error)
            print(f"  !! {key}: {error}", flush=True)

    def _visit(self, server: Server, model: Model) -> None:
        slug = f"{model.name}-{server.name}".replace(",", "").replace(":", "").replace(" ", "-")
        place = Place(programs(server, model, self.plan.folder), self.plan.folder / "serving" / slug, *ports())
        place.folder.mkdir(parents=True, exist_ok=True)
        port = place.spare[0] if server.grpc and server.project == "ours" else place.port
        conversation = Conversation(server, model, port, place.folder)
        launch, log = server.launch(model, place), place.folder / "log"
        try:
            with conversation, running(launch, self.plan.core, log, conversation.answers) as process:
                self._measure(server, model, conversation, process)
        except NotServing as error:
            raise NotServing(f"{error}; the last question: {conversation.last}") from error

    def _measure(self, server: Server, model: Model, conversation: "Conversation", process: Running) -> None:
        key, ready_mb = (model.name, server.name), process.megabytes()
        if server.project != "limit" and key not in self.results.wrong:
            self.results.wrong[key] = conversation.wrong_answers()
        conversation.load(load.WARM_UP_CONNECTIONS, 1)
        for connections in self.plan.connections:
            self.results.samples[(*key, connections)].append(conversation.load(connections, self.plan.seconds))
        self.results.starts[key].append(Start(process.cold_seconds, ready_mb, process.megabytes()))
        if server.name == "ours":
            self._rows(model, conversation)

    def _rows(self, model: Model, conversation: "Conversation") -> None:
        for name in ROW_PROTOCOLS:
            try:
                rate = conversation.rows(PROTOCOLS[name], self.plan.seconds)
                self.results.rows[model.name, name].append(rate)
            except (load.LoadFailed, OSError, ValueError, LookupError) as error:
                self.results.failures[f"{model.name}, {BATCH} rows by {name}"] = str(error)

    def bare(self, model: Model) -> None:
        """Measure the model without a server, in the runtime's environment and on the servers' core."""
        python = (
            environment("ours_torch" if model.framework == "torch" else "ours", self.plan.folder / "envs") / "python"
        )
        inputs = model.path.parent / f"{model.name}.inputs.npy"
        command = ["taskset", "--cpu-list", str(self.plan.core), str(python), str(LIMITS / "model_call.py")]
        env = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        done = subprocess.run(
            [*command, str(model.path), str(inputs), str(BATCH)], env=env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            self.results.failures[f"{model.name}, bare model"] = done.stderr.strip()[-300:]
            return
        figures = json.loads(done.stdout)
        self.results.bare_us[model.name].append(figures["row_us"])
        self.results.bare_rows[model.name].append(figures["rows_per_second"])
        for protocol, rate in figures["in_json"].items():
            self.results.json_rows[model.name, protocol].append(rate)


class Conversation(contextlib.ExitStack):
    """How one running server is talked to, whatever it speaks."""

    def __init__(self, server: Server, model: Model, port: int, folder: Path) -> None:
        super().__init__()
        self.constant = server.project == "limit"
        self.model = model
        self.port = port
        self.protocol = PROTOCOLS.get(server.protocol)
        self.file = folder / "requests"
        self.last = "nothing was asked"
        if self.protocol is not None:
            bodies = [self._request(self.protocol, index, 1) for index in range(INPUTS)]
            load.write_requests(self.file, bodies)

    def _request(self, protocol: Protocol, first: int, rows: int) -> bytes:
        chosen = np.roll(self.model.inputs, -first, axis=0)[:rows]
        return protocol.request(self.model.name, chosen, f"127.0.0.1:{self.port}")

    def connect(self) -> correctness.Ask:
        """A connection of its own."""
        if self.protocol is not None:
            return correctness.over_http(self.port, self.model.name, self.protocol)
        return correctness.over_grpc(self.enter_context(correctness.channel(self.port)), self.model.name)

    @contextlib.contextmanager
    def once(self) -> Iterator[correctness.Ask]:
        """A connection that is closed at the end, while the server may not be there yet."""
        if self.protocol is not None:
            yield correctness.over_http(self.port, self.model.name, self.protocol)
        else:
            with correctness.channel(self.port) as opened:
                yield correctness.over_grpc(opened, self.model.name)

    def answers(self) -> bool:
        """Whether the first input gets its right answer, or any where the server answers a constant."""
        try:
            with self.once() as ask:
                answered = ask(self.model.inputs[:1])
        except correctness.ERRORS as error:
            self.last = correctness.told(error)
            return False
        self.last = f"it answered {answered}"
        return answered == [self.model.answers[0, 0]] or self.constant

    def wrong_answers(self) -> int:
        """How many of the inputs did not get their own answer."""
        return correctness.wrong_answers(self.model, self.connect)

    def load(self, connections: int, seconds: int) -> load.Sample:
        """One run of load."""
        if self.protocol is not None:
            return load.http(self.port, self.file, connections, seconds)
        row = self.model.inputs[:1]
        with correctness.channel(self.port) as opened:
            expected = correctness.answer_bytes(opened, self.model.name, row)
        return load.grpc(self.port, correctness.message(self.model.name, row), expected, connections, seconds)

    def rows(self, protocol: Protocol, seconds: int) -> float:
        """Rows a second in large bodies, warm, after one of them was answered rightly row by row."""
        inputs = self.model.inputs[:BATCH]
        if (
            correctness.over_http(self.port, self.model.name, protocol)(inputs)
            != self.model.answers[:BATCH, 0].tolist()
        ):
            raise ValueError("rows got answers that are not the model's")
        step = INPUTS // ROW_BODIES
        bodies = [self._request(protocol, body * step, BATCH) for body in range(ROW_BODIES)]
        requests = self.file.with_name("rows")
        load.write_requests(requests, bodies)
        load.http(self.port, requests, ROW_CONNECTIONS, WARM_UP_SECONDS)
        return load.http(self.port, requests, ROW_CONNECTIONS, seconds).rate * BATCH


def programs(server: Server, model: Model, folder: Path) -> Path:
    """Where the server's python is."""
    name = server.environments[model.name]
    return environment(name, folder / "envs") if name else Path(sys.executable).parent


def ports() -> tuple[int, tuple[int, int]]:
    """A free port and two more."""
    first, second, third = free_ports(3)
    return first, (second, third)
