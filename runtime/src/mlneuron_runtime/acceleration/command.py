"""`mlneuron-runtime prepare`: what the preparing process does."""

from pathlib import Path

import structlog

from mlneuron_runtime import loading
from mlneuron_runtime.acceleration import bounds, preparing
from mlneuron_runtime.acceleration.store import Manifest, Store, key_of
from mlneuron_runtime.settings import ModelSource
from mlneuron_runtime.sources import local

log = structlog.get_logger()


def prepare(source: ModelSource, folder: Path, image: str, threads: int) -> Manifest:
    """Leave an engine, or why there is none, in the folder. Raises Fatal for a model that cannot be loaded."""
    bounds.keep()
    artifact = local.verify(source.uri, Path(source.path), source.sha256)
    loaded = loading.deserialise(source, image, threads)
    found = preparing.prepared(loaded.model)
    manifest = found.manifest(loaded, artifact)
    Store(folder).put(key_of(artifact, source), manifest, found.content)
    log.info("prepared", reason=manifest.reason)
    return manifest
