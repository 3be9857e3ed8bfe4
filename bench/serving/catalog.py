"""The servers: how each is started, which protocol it is asked in, and what it stands for in a comparison."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.serving.environments import PEERS
from bench.serving.models import Model

LIMITS = Path(__file__).parent / "limits"


@dataclass(frozen=True)
class Place:
    """Where one server of one model runs: its environment's programs, a folder to write to, its free port, a second
    and a third one.
    """

    programs: Path
    folder: Path
    port: int
    spare: tuple[int, int]


@dataclass(frozen=True)
class Launch:
    """What to start: `before` runs first and is not timed."""

    command: list[str]
    env: Mapping[str, str] = field(default_factory=dict)
    before: list[str] | None = None


@dataclass(frozen=True)
class Server:
    """A server in the comparison. `project` groups the ways of one project; `environments` says in which environment
    it serves which model; `grpc` servers are asked on the port `spare[0]`.
    """

    name: str
    project: str
    protocol: str
    environments: Mapping[str, str]
    launch: Callable[[Model, Place], Launch]
    grpc: bool = False


def _ours(acceleration: str) -> Callable[[Model, Place], Launch]:
    """As in a pod: `fetch` first, as the init container does, then `serve` of the same config."""

    def launch(model: Model, place: Place) -> Launch:
        source = {
            "name": model.name, "framework": model.framework, "uri": model.path.as_uri(), "path": str(model.path),
            "version": "1", "acceleration": acceleration, "prepared": str(place.folder.parent / "prepared"),
        }  # fmt: skip
        config = place.folder / "config.json"
        config.write_text(json.dumps({"neuron": {"namespace": "bench", "name": model.name}, "model": source}))
        program = [str(place.programs / "mlneuron-runtime")]
        ports = ["--port", str(place.port), "--metrics-port", str(place.spare[1])]
        if _takes_grpc_port(place.programs):
            ports += ["--grpc-port", str(place.spare[0])]
        serve = [*program, "serve", "--config", str(config), "--host", "127.0.0.1", *ports]
        return Launch(serve, {"MLNEURON_LOG_LEVEL": "warning"}, [*program, "fetch", "--config", str(config)])

    return launch


def _takes_grpc_port(programs: Path) -> bool:
    """Whether this build of the runtime speaks gRPC."""
    packages = programs.parent.glob("lib/python*/site-packages/mlneuron_runtime/__main__.py")
    return any("--grpc-port" in path.read_text() for path in packages)


def _mlserver(batching: bool) -> Callable[[Model, Place], Launch]:
    """In one process (`parallel_workers` 0, faster on one core), and as its documentation says for production not in
    debug mode.
    """

    def launch(model: Model, place: Place) -> Launch:
        http, grpc, metrics = place.port, *place.spare
        settings = {
            "host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics,
            "debug": False, "parallel_workers": 0,
        }  # fmt: skip
        kinds = {"sklearn": "mlserver_sklearn.SKLearnModel", "xgboost": "mlserver_xgboost.XGBoostModel"}
        described = {
            "name": model.name,
            "implementation": kinds[model.framework],
            "parameters": {"uri": str(model.path)},
            **({"max_batch_size": 64, "max_batch_time": 0.001} if batching else {}),
        }
        (place.folder / "settings.json").write_text(json.dumps(settings))
        (place.folder / "model-settings.json").write_text(json.dumps(described))
        return Launch([str(place.programs / "mlserver"), "start", str(place.folder)])

    return launch


def _script(path: Path, *options: str) -> Callable[[Model, Place], Launch]:
    def launch(model: Model, place: Place) -> Launch:
        command = [str(place.programs / "python"), str(path), str(model.path), str(place.port), *options]
        return Launch(command, {"RAY_USAGE_STATS_ENABLED": "0", "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"})

    return launch


def _bentoml(batching: str) -> Callable[[Model, Place], Launch]:
    def launch(model: Model, place: Place) -> Launch:
        where = ["--working-dir", str(PEERS / "bentoml"), "--host", "127.0.0.1", "--port", str(place.port)]
        env = {
            "BENCH_MODEL": str(model.path), "BENCH_BATCHING": batching,
            "BENTOML_HOME": str(place.folder), "BENTOML_DO_NOT_TRACK": "True",
        }  # fmt: skip
        return Launch([str(place.programs / "bentoml"), "serve", "server:Served", *where], env)

    return launch


def _in(environment: str) -> dict[str, str]:
    """One environment for the models that every peer has a library for."""
    return dict.fromkeys(("iris", "forest", "xgboost"), environment)


OURS = {**_in("ours"), "torch": "ours_torch"}
LITSERVE, RAY = PEERS / "litserve/server.py", PEERS / "ray/server.py"
CATALOG = (
    Server("ours", "ours", "guide", OURS, _ours("Auto")),
    Server("ours, acceleration off", "ours", "guide", _in("ours"), _ours("Off")),
    Server("ours, v2", "ours", "v2", {"iris": "ours"}, _ours("Auto")),
    Server("ours, v2 binary", "ours", "v2 binary", {"iris": "ours"}, _ours("Auto")),
    Server("ours, gRPC", "ours", "grpc", {"iris": "ours"}, _ours("Auto"), grpc=True),
    Server("mlserver", "mlserver", "v2", _in("mlserver"), _mlserver(batching=False)),
    Server("mlserver, batching", "mlserver", "v2", _in("mlserver"), _mlserver(batching=True)),
    Server("kserve", "kserve", "v1", _in("kserve"), _script(PEERS / "kserve/server.py")),
    Server("bentoml", "bentoml", "rows", _in("bentoml"), _bentoml("0")),
    Server("bentoml, batching", "bentoml", "rows", _in("bentoml"), _bentoml("1")),
    Server("litserve", "litserve", "guide", _in("litserve"), _script(LITSERVE)),
    Server("litserve, batching", "litserve", "guide", _in("litserve"), _script(LITSERVE, "--batching")),
    Server("ray", "ray", "guide", _in("ray"), _script(RAY)),
    Server("ray, batching", "ray", "guide", _in("ray"), _script(RAY, "--batching")),
    Server("guide", "guide", "guide", {**_in("guide"), "torch": "guide_torch"}, _script(PEERS / "guide/server.py")),
    Server("limit: uvicorn", "limit", "guide", {"iris": "ours"}, _script(LIMITS / "uvicorn_constant.py")),
    Server("limit: starlette", "limit", "guide", {"iris": "ours"}, _script(LIMITS / "starlette_constant.py")),
    Server("limit: gRPC", "limit", "grpc", {"iris": ""}, _script(LIMITS / "grpc_constant.py"), grpc=True),
)  # fmt: skip
"""Who is compared. An environment with an empty name is the development one: the empty gRPC server takes its protocol
buffers from a development dependency.
"""
