"""Where prepared engines are kept: `<folder>/<key>/engine.json` and, where there is an engine, its file.

The key is of the artifact's content and of every version that matters, so what is there is never stale. A refusal is
kept as well: an engine.json without an engine.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import msgspec
import structlog

from mlneuron_runtime.settings import ModelSource

log = structlog.get_logger()

FORMAT = 7
"""Raised when what is written here, or how a model is converted or verified, changes."""

LIBRARIES = (
    "mlneuron-runtime", "numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx", "xgboost", "xgboost-cpu",
)  # fmt: skip

Kind = Literal["probabilities", "both", "labels", "signs", "numbers", "objective"]
"""What the engine's outputs are: the classes' probabilities; labels and probabilities; labels; scores whose sign is the
label; numbers; or what an xgboost objective says.
"""


Library = Literal["onnxruntime", "numpy"]
"""What runs an engine."""

FILES: Mapping[Library, str] = {"onnxruntime": "engine.onnx", "numpy": "engine.npz"}


class Classes(msgspec.Struct, frozen=True):
    """A classifier's classes as numpy holds them: `dtype` and JSON values."""

    dtype: str
    values: list[Any]


class Engine(msgspec.Struct, frozen=True):
    """How an engine is run: `sha256` of its file, the numpy dtype of its rows, the largest number of rows in one
    call, the numpy dtype of the answers' values, and from how many rows on the original is faster, if it ever is.
    """

    sha256: str
    input: str
    kind: Kind
    split: int
    values: str
    classes: Classes | None = None
    objective: str | None = None
    crossover: int | None = None
    library: Library = "onnxruntime"


class Original(msgspec.Struct, frozen=True):
    """What is told of the model, as its own loader told it: `signature` are the fields of a Matrix, `warnings` pairs of
    a reason and a message.
    """

    type: str
    details: dict[str, Any]
    signature: dict[str, Any]
    framework: str | None = None
    warnings: list[tuple[str, str]] = []


class Manifest(msgspec.Struct, frozen=True):
    """The content of engine.json: why there is an engine or none, and of what. `seconds` are of a call, by the number
    of rows, of the original and the engine.
    """

    artifact: str
    versions: dict[str, str]
    reason: str
    engine: Engine | None = None
    original: Original | None = None
    seconds: dict[str, dict[int, float]] = {}


class Store:
    """A folder of engines. Raises OSError where the volume does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: str) -> Manifest | None:
        """What was prepared under this key; None when nothing was, or nothing that can be read."""
        try:
            return msgspec.json.decode((self.folder / key / "engine.json").read_bytes(), type=Manifest)
        except (OSError, msgspec.DecodeError):
            return None

    def content(self, key: str, manifest: Manifest) -> bytes | None:
        """The engine's bytes; None if there are none, or they are not those that were verified."""
        if manifest.engine is None:
            return None
        try:
            content = (self.folder / key / FILES[manifest.engine.library]).read_bytes()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == manifest.engine.sha256 else None

    def intact(self, key: str) -> bool:
        """Whether there is an engine as it was verified, or a refusal."""
        manifest = self.find(key)
        if manifest is None:
            return False
        if manifest.engine is None or self.content(key, manifest) is not None:
            return True
        log.warning("the prepared engine is not the one that was verified", folder=str(self.folder / key))
        return False

    def put(self, key: str, manifest: Manifest, content: bytes | None) -> None:
        """Keep it, in the place of what was there under this key; appears by one rename."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{key[:12]}-", dir=self.folder))
        try:
            fresh.chmod(0o755)
            if content is not None and manifest.engine is not None:
                (fresh / FILES[manifest.engine.library]).write_bytes(content)
            (fresh / "engine.json").write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
            self._rename(fresh, self.folder / key)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _rename(self, fresh: Path, place: Path) -> None:
        try:
            os.rename(fresh, place)
        except OSError:
            if not place.is_dir():
                raise
            shutil.rmtree(place)  # damaged, or another process has prepared the same meanwhile
            os.rename(fresh, place)


def key_of(artifact: str, source: ModelSource) -> str:
    """The name of what is prepared of an artifact with this digest, by these libraries, for this manifest."""
    told = [FORMAT, artifact, source.framework, msgspec.to_builtins(source.inputs), sorted(versions().items())]
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


def versions() -> dict[str, str]:
    """Of the libraries that have a part in it, as far as they are installed. Imports none of them."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
