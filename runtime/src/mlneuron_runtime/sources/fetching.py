"""One fetch from its URI to its path: what is there already, what the cache has, what has to be downloaded."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from mlneuron_runtime.failure import Fatal, Reason, public
from mlneuron_runtime.settings import ModelSource
from mlneuron_runtime.sources import note, place
from mlneuron_runtime.sources.cache import Cache
from mlneuron_runtime.sources.digest import check_digest, digest_of
from mlneuron_runtime.sources.download import Patience, bring, persist
from mlneuron_runtime.sources.lock import Lock
from mlneuron_runtime.sources.remote import Artifact
from mlneuron_runtime.sources.work import Work

log = structlog.get_logger()


def fetch(source: ModelSource, patience: Patience | None = None, authorization: str | None = None) -> None:
    """Put the artifact at its path, or raise Fatal and leave what was there. `authorization` is for http(s) alone."""
    patience = patience or Patience()
    resolve = resolver(source.uri, patience, authorization)
    fetching = Fetching(source, Path(source.path), resolve, patience)
    if fetching.done():
        log.info("model is there already", path=source.path, sha256=source.sha256)
        return
    try:
        if source.cache is None:
            fetching.alone()
        else:
            fetching.shared(Cache(Path(source.cache)))
    except OSError as error:
        where = str(error.filename or source.path)
        cached = source.cache is not None and where.startswith(source.cache)
        raise Fatal(
            Reason.MODEL_FETCH_FAILED,
            f"spec.model.uri: {public(source.uri)} cannot be written to {where} ({error.strerror or error}); give the "
            f"{'claim of spec.model.cache' if cached else 'model volume'} more room, or make it writable",
        ) from error


def resolver(uri: str, patience: Patience, authorization: str | None) -> Callable[[], Artifact]:
    """How this kind of URI becomes an artifact; the libraries of the other kinds are not imported."""
    scheme = uri.partition(":")[0].lower()
    if scheme in {"s3", "gs"}:
        from mlneuron_runtime.sources import object_store

        return lambda: object_store.resolve(uri)
    if scheme == "models":
        from mlneuron_runtime.sources import registry

        return lambda: registry.resolve(uri)
    from mlneuron_runtime.sources import http

    return lambda: http.resolve(uri, patience.stall, authorization)


@dataclass(frozen=True, slots=True)
class Fetching:
    """A fetch in progress. Its methods raise Fatal, and OSError where a volume does."""

    source: ModelSource
    path: Path
    resolve: Callable[[], Artifact]
    patience: Patience

    @property
    def pin(self) -> str | None:
        return self.source.sha256.lower() if self.source.sha256 else None

    @property
    def registered(self) -> bool:
        """Whether the registry has to be asked for the version, even where the content is known."""
        return self.source.uri.startswith("models:")

    def done(self) -> bool:
        """Whether the pinned content, and a registry's note on it, is where it belongs."""
        if self.pin is None or (self.registered and note.read(self.path) is None):
            return False
        with contextlib.suppress(OSError):
            return digest_of(self.path) == self.pin
        return False

    def alone(self) -> None:
        """Download to the path's own volume."""
        with _owned(self.path.with_name(f".{self.path.name}.part")) as work:
            artifact, _ = self._download(work)
            place.replace(work.content, self.path)
            work.discard()
        note.write(self.path, artifact.note)

    def shared(self, cache: Cache) -> None:
        """Through the cache: one of all that look for the same downloads it, the others wait and find it."""
        cache.folder.mkdir(parents=True, exist_ok=True)
        pinned = f"sha256-{self.pin}" if self.pin else None
        if pinned and not self.registered and (entry := cache.find(pinned)):
            return self._take(entry, None)
        try:
            artifact, identity = persist(self.source.uri, lambda: cache.identified(self.resolve()), self.patience)
        except Fatal as failure:
            if failure.reason is Reason.MODEL_FETCH_FAILED and pinned and (entry := cache.find(pinned)):
                log.warning("the pinned model is in the cache; its version is not known", cause=failure.message)
                return self._take(entry, None)
            raise
        key = pinned if pinned and not self.registered else identity
        if key is None:
            log.info("the server gives no ETag to share the model by; pin its sha256", uri=public(self.source.uri))
            return self.alone()
        self._take(*self._entry(cache, key, artifact))

    def _entry(self, cache: Cache, key: str, artifact: Artifact) -> tuple[Path, Artifact]:
        """The entry of the key, downloaded if need be, and what it was."""
        if entry := cache.find(key):
            return entry, artifact
        with Lock(cache.folder, cache.lock(key)):
            if entry := cache.find(key):
                return entry, artifact
            work = Work(cache.work(key))
            artifact, sha256 = self._download(work)
            entry = cache.put(work.content, sha256, cache.identified(artifact)[1])
            work.discard()
        return entry, artifact

    def _download(self, work: Work) -> tuple[Artifact, str]:
        """What the URI names by now, whole in `work.content`, and its sha256, which the pin allows."""

        def attempt() -> tuple[Artifact, str]:
            artifact = self.resolve()
            return artifact, bring(artifact, work)

        try:
            artifact, sha256 = persist(self.source.uri, attempt, self.patience, work.safe)
        except OSError:
            work.discard()
            raise
        except BaseException:
            work.tidy()
            raise
        try:
            check_digest(self.source.uri, sha256, self.pin)
        except Fatal:
            work.discard()
            raise
        return artifact, sha256

    def _take(self, entry: Path, artifact: Artifact | None) -> None:
        check_digest(self.source.uri, entry.name.removeprefix("sha256-"), self.pin)
        place.link(entry, self.path)
        note.write(self.path, artifact.note if artifact else None)
        log.info("model is in the cache", entry=str(entry), path=str(self.path))


@contextlib.contextmanager
def _owned(folder: Path) -> Iterator[Work]:
    """A folder of this machine for one process at a time; the kernel frees it when its owner dies."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
        with contextlib.suppress(OSError):  # a volume without locks: one fetch a pod is the rule anyway
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if folder.stat().st_ino == os.fstat(descriptor).st_ino:
                break
        os.close(descriptor)
    try:
        yield Work(folder)
    finally:
        os.close(descriptor)
