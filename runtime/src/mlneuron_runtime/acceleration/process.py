"""Prepare in a process of its own: what it imports, leaks or crashes at stays there. Imports no numpy."""

import contextlib
import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from mlneuron_runtime.acceleration.store import Manifest, Store, key_of, versions
from mlneuron_runtime.failure import EXIT_CODE, first_line
from mlneuron_runtime.settings import ModelSource, engine_folder
from mlneuron_runtime.sources.digest import digest_of

log = structlog.get_logger()

FRAMEWORKS = frozenset({"sklearn", "xgboost", "mlflow"})
"""Those whose models may have a faster engine."""

SECONDS = 120.0
"""For a model that takes longer to convert, compare and measure, the start would be late too often."""


def eligible(source: ModelSource) -> bool:
    return source.acceleration == "Auto" and source.framework in FRAMEWORKS


def after_fetch(source: ModelSource) -> None:
    """Prepare a model that was just fetched, where the config says where to. Never raises: what fails here is tried, or
    told, by the server.
    """
    if source.prepared is None or not eligible(source):
        return
    try:
        store, key = prepared(source, digest_of(Path(source.path)))
    except OSError as error:
        log.warning("no faster engine was prepared", cause=first_line(error))
        return
    manifest = store.find(key)
    log.info("model is prepared", reason=None if manifest is None else manifest.reason)


def prepared(source: ModelSource, artifact: str, seconds: float = SECONDS) -> tuple[Store, str]:
    """The store and the key under which there is an engine or a refusal now; nothing for a model that cannot be loaded.
    `artifact` is its digest. Where the folder cannot be written to, the store is a temporary one. Raises OSError.
    """
    key, store = key_of(artifact, source), Store(engine_folder(source.prepared))
    if store.intact(key):
        return store, key
    try:
        prepare(source, artifact, store, seconds)
    except OSError as error:
        log.info("engines cannot be kept for the next start", folder=str(store.folder), cause=first_line(error))
        store = Store(Path(tempfile.mkdtemp(prefix="mlneuron-engine-")))
        prepare(source, artifact, store, seconds)
    return store, key


def prepare(source: ModelSource, artifact: str, store: Store, seconds: float) -> None:
    """Leave an engine or a refusal there. Raises OSError where the volume does."""
    key = key_of(artifact, source)
    with _alone(store.folder, key):
        if store.intact(key):
            return
        log.info("looking for a faster engine", model=source.name, at_most_seconds=seconds)
        refusal = _run(source, store.folder, seconds)
        if refusal is not None:
            log.warning("no faster engine was prepared", cause=refusal)
            store.put(key, Manifest(artifact, versions(), f"{source.framework}: {refusal}"), None)


def _run(source: ModelSource, folder: Path, seconds: float) -> str | None:
    """Why nothing was left; None when something was, or the model cannot be loaded, as whoever serves it will tell."""
    command = [sys.executable, "-m", "mlneuron_runtime", "prepare", "--source", "-", "--into", str(folder)]
    try:
        done = subprocess.run(  # noqa: S603  # this program itself
            command, input=msgspec.json.encode(source), stdout=sys.stderr, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return f"conversion not possible (it took longer than {seconds:.0f} s)"
    if done.returncode in (0, EXIT_CODE):
        return None
    ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return f"conversion not possible (it ended with {ended})"


@contextlib.contextmanager
def _alone(folder: Path, key: str) -> Iterator[None]:
    """One process of this machine at a time; on a volume without locks two may do the same, and one wins. Raises
    OSError for a folder that cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / f".{key[:12]}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
