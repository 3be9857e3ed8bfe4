"""The runtime's configuration: the operator's `config.json`, the command line's defaults, the environment.

The only module that reads the environment. Unknown keys are refused, so that a misspelt limit is not silently
absent.
"""

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from mlneuron_runtime.failure import Fatal, Reason

Framework = Literal["sklearn", "xgboost", "torch"]

EXTENSIONS: Mapping[str, Framework] = {
    ".joblib": "sklearn", ".pkl": "sklearn", ".pickle": "sklearn",
    ".json": "xgboost", ".ubj": "xgboost",
    ".pt": "torch", ".pth": "torch", ".pt2": "torch",
}  # fmt: skip

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Section(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """One object of config.json: camelCase there, snake_case here."""


class Identity(Section):
    """Whose runtime this is."""

    namespace: str
    name: str


class ModelSource(Section):
    """The model to serve. `path` is where its file is, or where `fetch` puts it; `uri` is where it comes
    from.
    """

    name: str
    framework: Framework
    uri: str
    path: Annotated[str, msgspec.Meta(min_length=1)]
    version: str | None = None
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{64}$")] | None = None


class Batching(Section):
    """`max_size` rows in one model call, of requests waiting at most `max_delay_seconds`; `max_queue` may
    wait.
    """

    max_size: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 32
    max_delay_seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    max_queue: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1024


class Serving(Section):
    """The bounds of one request, and of the stop."""

    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 10.0
    max_body_bytes: Annotated[int, msgspec.Meta(ge=1)] = 4 * 1024 * 1024
    drain_seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 20.0


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


def limit_threads(cpus: int, variables: MutableMapping[str, str] = os.environ) -> None:
    """Tell OpenMP and BLAS how many CPUs the container may use, unless the manifest already does.

    Before numpy is imported: they size their pools by the node's cores, and a pool of 64 threads on a quota
    of 2 CPUs is throttled to a crawl.
    """
    for name in THREAD_VARIABLES:
        variables.setdefault(name, str(cpus))


def read_config(path: Path) -> Config:
    """Parse config.json, or tell what is wrong with which key."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Config)
    except OSError as error:
        raise Fatal(Reason.CONFIG_INVALID, f"{path}: cannot be read ({error.strerror}); mount the config") from error
    except msgspec.DecodeError as error:
        raise Fatal(Reason.CONFIG_INVALID, f"{path}: {error}; correct the key in the config") from error


def standalone(path: Path, framework: Framework | None) -> Config:
    """The config of a model file served by hand: every default, and the framework that its extension says."""
    inferred = framework or EXTENSIONS.get(path.suffix.lower())
    if inferred is None:
        known = ", ".join(sorted(EXTENSIONS))
        raise Fatal(
            Reason.CONFIG_INVALID,
            f"{path}: the extension '{path.suffix}' does not tell the framework (known: {known}); "
            "add --framework sklearn|xgboost|torch",
        )
    source = ModelSource(name=path.stem, framework=inferred, uri=path.absolute().as_uri(), path=str(path))
    return Config(neuron=Identity(namespace="local", name=path.stem), model=source)
