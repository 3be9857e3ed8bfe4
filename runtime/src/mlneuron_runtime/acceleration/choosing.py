"""Which model serves: the prepared engine, or the original and why. Never imports the original's library."""

from collections.abc import Callable

import structlog

from mlneuron_runtime.acceleration import process
from mlneuron_runtime.acceleration.store import Manifest
from mlneuron_runtime.failure import first_line
from mlneuron_runtime.models.base import Loaded, Model, Warned
from mlneuron_runtime.settings import ModelSource

log = structlog.get_logger()


def choose(source: ModelSource, artifact: str, original: Callable[[], Model]) -> tuple[Loaded | None, str]:
    """The engine, or None where the original serves, and why. `artifact` is the model's digest, checked; `original`
    loads it. Never raises: without an engine there is always the original.
    """
    if source.acceleration == "Off":
        return None, "Off"
    if not process.eligible(source):
        return None, f"{source.framework} models are served as they are"
    try:
        store, key = process.prepared(source, artifact)
        manifest = store.find(key)
        if manifest is None:
            return None, f"{source.framework}: nothing was prepared"
        content = store.content(key, manifest)
        return None if content is None else _engine(manifest, content, original), manifest.reason
    except Exception as error:
        log.warning("the prepared engine cannot be used", cause=first_line(error))
        return None, f"{source.framework}: the prepared engine cannot be used ({first_line(error)})"


def _engine(manifest: Manifest, content: bytes, original: Callable[[], Model]) -> Loaded | None:
    from mlneuron_runtime.models.accelerated import AcceleratedModel, Relieved

    if manifest.engine is None or manifest.original is None:
        return None
    engine = AcceleratedModel(manifest.engine, manifest.original, content)
    crossover = manifest.engine.crossover
    model = engine if crossover is None else Relieved(engine, original, crossover)
    warnings = tuple(Warned(reason, message) for reason, message in manifest.original.warnings)
    return Loaded(model, warnings, manifest.original.framework, manifest.engine.library, crossover)
