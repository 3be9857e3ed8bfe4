"""What the runtime's tests share: polling, calls to an app in this process, and a server in another."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEADLINE = 60.0
HERE = Path(__file__).parent

ANY_PORTS = ("--port", "0", "--metrics-port", "0", "--grpc-port", "0")

JSON_HEADERS = {"content-type": "application/json"}


async def until(condition: Callable[[], bool], seconds: float = DEADLINE) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        await asyncio.sleep(0.001)


async def until_asked(condition: Callable[[], Awaitable[bool]], seconds: float = DEADLINE) -> None:
    """Poll until the answer is yes."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "the condition never held"
        await asyncio.sleep(0.01)


@dataclass
class Reply:
    """An answer: status, headers with lower-case names, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def call(
    app: Any,
    method: str,
    path: str,
    body: bytes | list[bytes] = b"",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """One request to an ASGI app in this process; a list is a body in pieces, with no Content-Length."""
    chunks = body if isinstance(body, list) else [body]
    sent = {**JSON_HEADERS, **(headers or {})}
    if not isinstance(body, list):
        sent.setdefault("content-length", str(len(body)))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http", "server": None,
        "client": None, "headers": [(name.encode(), value.encode()) for name, value in sent.items()], "state": {},
    }  # fmt: skip
    inbox = [
        {"type": "http.request", "body": chunk, "more_body": place + 1 < len(chunks)}
        for place, chunk in enumerate(chunks)
    ]
    outbox: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return inbox.pop(0) if inbox else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        outbox.append(message)

    await app(scope, receive, send)
    headers_out = {name.decode(): value.decode() for name, value in outbox[0]["headers"]}
    return Reply(outbox[0]["status"], headers_out, b"".join(message["body"] for message in outbox[1:]))


async def post(app: Any, path: str, content: object, headers: Mapping[str, str] | None = None) -> Reply:
    """POST JSON."""
    return await call(app, "POST", path, json.dumps(content).encode(), headers)


@dataclass
class Process:
    """A runtime in a process of its own, with what it logs."""

    process: subprocess.Popen[str]
    termination_log: Path
    events: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0
    metrics_port: int = 0
    grpc_port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def metrics_url(self) -> str:
        return f"http://127.0.0.1:{self.metrics_port}"

    def wait_for(self, event: str) -> dict[str, Any]:
        """Read the log up to an event, or to its end."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.startswith("{"):
                continue
            told: dict[str, Any] = json.loads(line)
            self.events.append(told)
            if told["event"] == event:
                return told
        raise AssertionError(f"the process ended without {event!r}; it logged {self.events}")

    def finish(self) -> int:
        """The exit code, once the process has ended by itself."""
        out, _ = self.process.communicate(timeout=DEADLINE)
        self.events += [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        return self.process.returncode

    @property
    def last_words(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.termination_log.read_text())
        return told


def environment(folder: Path) -> dict[str, str]:
    """Bytecode is kept in one place, so that only the first server of a run compiles its libraries."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {
        **kept,
        "PYTHONPATH": str(HERE),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PYTHONPYCACHEPREFIX": str(Path(os.environ.get("TMPDIR", "/tmp")) / "mlneuron-tests-pycache"),  # noqa: S108  # shared on purpose
        "MLNEURON_TERMINATION_LOG": str(folder / "termination-log"),
        "MLNEURON_IMAGE": "registry.test/mlneuron-runtime:1",
    }


@contextmanager
def runtime(folder: Path, *arguments: str, **variables: str) -> Iterator[Process]:
    """`mlneuron-runtime ARGUMENTS` as a process, ended at the end whatever happened."""
    command = [sys.executable, "-m", "mlneuron_runtime", *arguments]
    with subprocess.Popen(  # our own program
        command,
        env={**environment(folder), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Process(process, folder / "termination-log")
        finally:
            process.kill()


@contextmanager
def serving(folder: Path, config: dict[str, Any], **variables: str) -> Iterator[Process]:
    """A server that is ready, from the operator's kind of config."""
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    arguments = ("serve", "--config", str(path), "--host", "127.0.0.1", *ANY_PORTS)
    with runtime(folder, *arguments, **variables) as process:
        listening = process.wait_for("listening")
        process.port, process.metrics_port = listening["port"], listening["metrics_port"]
        process.grpc_port = listening["grpc_port"]
        process.wait_for("ready")
        yield process


def config_for(path: Path, framework: str = "sklearn", **changes: dict[str, Any]) -> dict[str, Any]:
    """The operator's config of a model file; `changes` go into its sections."""
    config: dict[str, Any] = {
        "neuron": {"namespace": "ml", "name": "churn"},
        "model": {
            "name": "churn", "version": "1.0.0", "framework": framework, "uri": f"pvc://models/{path.name}",
            "path": str(path), "sha256": None, "acceleration": "Off",
        },
        "batching": {},
        "serving": {},
    }  # fmt: skip
    for section, values in changes.items():
        config[section].update(values)
    return config
