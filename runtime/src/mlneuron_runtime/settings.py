"""The runtime's configuration: the operator's `config.json`, the command line's defaults, the environment.

The only module that reads the environment. Unknown keys are refused, so that a misspelt limit is not silently
absent.
"""

import base64
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from mlneuron_runtime.failure import Fatal, Reason

Framework = Literal["sklearn", "xgboost", "torch", "onnx", "mlflow"]

Datatype = Literal[
    "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64", "BYTES"
]
"""The Open Inference Protocol's words for what a tensor holds; BYTES is text."""

EXTENSIONS: Mapping[str, Framework] = {
    ".joblib": "sklearn", ".pkl": "sklearn", ".pickle": "sklearn", ".skops": "sklearn",
    ".json": "xgboost", ".ubj": "xgboost",
    ".pt": "torch", ".pth": "torch", ".pt2": "torch",
    ".onnx": "onnx",
}  # fmt: skip

STUCK_SECONDS, STUCK_DEADLINES = 30.0, 3

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Section(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """One object of config.json: camelCase there, snake_case here."""


class Identity(Section):
    """Whose runtime this is: the neuron's own, or a variant's of it."""

    namespace: str
    name: str
    variant: str = "primary"


class Input(Section):
    """One input that the manifest declares: a column of a table, or a tensor with its `shape` a row."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    datatype: Datatype = "FP64"
    shape: list[Annotated[int, msgspec.Meta(ge=1)]] = []


class ModelSource(Section):
    """The model to serve. `path` is where its file or folder is, or where `fetch` puts it; `uri` is where it comes
    from. `cache` is a folder that several pods share, so that one of them downloads for all; `prepared` one where
    `fetch` leaves the faster engine that it made of the model.
    """

    name: str
    framework: Framework
    uri: str
    path: Annotated[str, msgspec.Meta(min_length=1)]
    version: str | None = None
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{64}$")] | None = None
    acceleration: Literal["Auto", "Off"] = "Auto"
    inputs: list[Input] | None = None
    cache: str | None = None
    prepared: str | None = None


class Batching(Section):
    """`max_size` rows in one model call, of requests waiting at most `max_delay_seconds`; `max_queue` may
    wait.
    """

    max_size: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 32
    max_delay_seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    max_queue: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1024


class PayloadLog(Section):
    """Where requests and answers are sent as CloudEvents: a share of them, without the `redact`ed fields."""

    url: Annotated[str, msgspec.Meta(pattern="^https?://.+")]
    sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    mode: Literal["All", "Request", "Response"] = "All"
    redact: list[str] = []


class Serving(Section):
    """The bounds of one request, and of the stop; how many processes serve, and who may ask.

    `token_file` holds the accepted bearer tokens, one a line; without it anyone who reaches the port may ask.
    `traffic_file` is where the table of variants is, once there is one (`traffic/table.py`).
    `stuck_seconds` is how long a call of the model or a turn of the event loop may take until it is held to hang.
    """

    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 10.0
    max_body_bytes: Annotated[int, msgspec.Meta(ge=1)] = 4 * 1024 * 1024
    max_header_bytes: Annotated[int, msgspec.Meta(ge=1024, le=1024 * 1024)] = 64 * 1024
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 4096
    drain_seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 20.0
    stuck_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None
    workers: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    grpc: bool = True
    token_file: str | None = None
    traffic_file: str | None = None
    payload_log: PayloadLog | None = None

    @property
    def longest_call_seconds(self) -> float:
        """What takes longer will not end: three deadlines, since nobody waits any more, and with a short deadline half
        a minute, which no garbage, cold page or first use of a GPU takes.
        """
        return self.stuck_seconds or max(STUCK_SECONDS, STUCK_DEADLINES * self.timeout_seconds)


class Config(Section):
    """The whole of config.json."""

    neuron: Identity
    model: ModelSource
    batching: Batching = msgspec.field(default_factory=Batching)
    serving: Serving = msgspec.field(default_factory=Serving)


class Environment(msgspec.Struct, frozen=True):
    """What the environment says: where to leave the last words, how much to log, which image this is."""

    termination_log: Path
    log_level: str
    image: str


def environment(variables: Mapping[str, str] = os.environ) -> Environment:
    """Read MLNEURON_TERMINATION_LOG, MLNEURON_LOG_LEVEL (debug, info, warning, error) and MLNEURON_IMAGE."""
    return Environment(
        termination_log=Path(variables.get("MLNEURON_TERMINATION_LOG") or "/dev/termination-log"),
        log_level=variables.get("MLNEURON_LOG_LEVEL", "info").lower(),
        image=variables.get("MLNEURON_IMAGE") or "this runtime image",
    )


Exporter = Literal["otlp", "console"]


def traces(variables: Mapping[str, str] = os.environ) -> Exporter | None:
    """Where OpenTelemetry's standard variables want traces sent; None where they do not. What else they say (endpoint,
    sampler, headers) its SDK reads itself.
    """
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    exporter = variables.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter == "console":
        return "console"
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if exporter == "otlp" or (not exporter and any(variables.get(name) for name in endpoints)):
        return "otlp"
    return None


def engine_folder(prepared: str | None, variables: Mapping[str, str] = os.environ) -> Path:
    """Where prepared engines are kept: as the config says, else in the user's cache."""
    if prepared is not None:
        return Path(prepared)
    cache = variables.get("XDG_CACHE_HOME")
    return Path(cache or Path(variables.get("HOME") or "/nonexistent", ".cache"), "mlneuron", "engines")


def limit_threads(cpus: int, variables: MutableMapping[str, str] = os.environ) -> None:
    """Tell OpenMP and BLAS how many CPUs the container may use, unless the manifest already does.

    Before numpy is imported: they size their pools by the node's cores, and a pool of 64 threads on a quota
    of 2 CPUs is throttled to a crawl.
    """
    for name in THREAD_VARIABLES:
        variables.setdefault(name, str(cpus))


def steady_clients(variables: MutableMapping[str, str] = os.environ) -> None:
    """Make the clients of model stores behave in a pod, unless the manifest says otherwise: only `fetch` repeats,
    nothing is reported to a library's makers, the log stays JSON, and botocore takes AWS_REGION as other SDKs do.
    """
    variables.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    variables.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    variables.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    variables.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")
    if "AWS_REGION" in variables:
        variables.setdefault("AWS_DEFAULT_REGION", variables["AWS_REGION"])


def http_authorization(variables: Mapping[str, str] = os.environ) -> str | None:
    """The Authorization header for models behind http(s): HTTP_TOKEN as a bearer token, else HTTP_USERNAME and
    HTTP_PASSWORD; None where neither is set.
    """
    if token := variables.get("HTTP_TOKEN", "").strip():
        return f"Bearer {token}"
    user, password = variables.get("HTTP_USERNAME", ""), variables.get("HTTP_PASSWORD", "")
    if not user and not password:
        return None
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def read_config(path: Path) -> Config:
    """Parse config.json, or tell what is wrong with which key."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Config)
    except OSError as error:
        raise Fatal(Reason.CONFIG_INVALID, f"{path}: cannot be read ({error.strerror}); mount the config") from error
    except msgspec.DecodeError as error:
        raise Fatal(Reason.CONFIG_INVALID, f"{path}: {error}; correct the key in the config") from error


def standalone(path: Path, framework: Framework | None) -> Config:
    """The config of a model served by hand: every default, and the framework that its extension, or the MLmodel in
    its folder, says.
    """
    inferred = framework or ("mlflow" if Path(path, "MLmodel").is_file() else EXTENSIONS.get(path.suffix.lower()))
    if inferred is None:
        known = ", ".join(sorted(EXTENSIONS))
        raise Fatal(
            Reason.CONFIG_INVALID,
            f"{path}: the extension '{path.suffix}' does not tell the framework (known: {known}); "
            "add --framework sklearn|xgboost|torch|onnx|mlflow",
        )
    source = ModelSource(name=path.stem, framework=inferred, uri=path.absolute().as_uri(), path=str(path))
    return Config(neuron=Identity(namespace="local", name=path.stem), model=source)
