"""Bring an artifact's objects to this machine: attempts, continuation, progress. The same for every source."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from mlneuron_runtime.failure import Fatal, Reason, public
from mlneuron_runtime.sources.digest import digest_of_files
from mlneuron_runtime.sources.remote import Artifact, Changed, Passing, Remote
from mlneuron_runtime.sources.work import Work

log = structlog.get_logger()

T = TypeVar("T")

ENOUGH = 1024 * 1024
"""Bytes that an attempt has to bring before it counts as progress, so that the next one starts to count anew."""


@dataclass(frozen=True, slots=True)
class Patience:
    """`stall` is the longest silence of a server, at connecting and between blocks; `pauses` come before each further
    attempt after a failure that may pass, afterwards the kubelet restarts the pod. All in seconds.
    """

    stall: float = 30.0
    pauses: tuple[float, ...] = (0.5, 2.0, 5.0)
    sleep: Callable[[float], None] = time.sleep


class Progress:
    """A line in the log for each tenth of the way or half a minute, but not more often than each 5 seconds."""

    def __init__(self, uri: str, total: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._uri, self.total, self._clock = uri, total, clock
        self.bytes = 0
        self.fetched = 0
        self.started = self._told = clock()
        self._told_bytes = 0

    def skip(self, size: int) -> None:
        """Bytes that were there already."""
        self.bytes += size
        self._told_bytes = self.bytes

    def advance(self, size: int) -> None:
        self.bytes += size
        self.fetched += size
        silence = self._clock() - self._told
        if silence < 5 or not (silence >= 30 or self._tenths(self.bytes) > self._tenths(self._told_bytes)):
            return
        self._told, self._told_bytes = self._clock(), self.bytes
        share = {"of_bytes": self.total, "percent": 100 * self.bytes // self.total} if self.total else {}
        log.info("fetching model", uri=public(self._uri), bytes=self.bytes, **share)

    def _tenths(self, size: int) -> int:
        return 10 * size // self.total if self.total else 0


def persist(uri: str, attempt: Callable[[], T], patience: Patience, safe: Callable[[], int] = lambda: 0) -> T:
    """Repeat what may pass. Attempts that brought the download on (`safe`, in bytes) do not count."""
    pauses = list(patience.pauses)
    while True:
        before = safe()
        try:
            return attempt()
        except Passing as failure:
            if safe() >= before + ENOUGH:
                pauses = list(patience.pauses)
            if not pauses:
                raise Fatal(
                    Reason.MODEL_FETCH_FAILED,
                    f"spec.model.uri: {public(uri)} cannot be fetched ({failure}); check that the server "
                    "answers from "
                    "inside the cluster",
                ) from failure
            pause = pauses.pop(0)
            log.warning("fetch failed, trying again", uri=public(uri), cause=str(failure), after_seconds=pause)
            patience.sleep(pause)


def bring(artifact: Artifact, work: Work) -> str:
    """Make `work.content` the artifact; its sha256. Goes on with what `work` has; raises Passing, Fatal, OSError."""
    sizes = [remote.listed.size for remote in artifact.objects]
    progress = Progress(artifact.uri, None if None in sizes else sum(size or 0 for size in sizes))
    wholes, digests = work.wholes(), {}
    for remote in artifact.objects:
        whole = wholes.get(remote.name)
        if whole and whole.tag is not None and (whole.tag, whole.size) == (remote.listed.tag, remote.listed.size):
            digests[remote.name] = whole.sha256
            progress.skip(whole.size or 0)
        else:
            digests[remote.name] = _bring_one(artifact.uri, remote, work, progress)
    if artifact.folder:
        work.keep_only(digests)
    digest = digest_of_files(digests) if artifact.folder else digests[""]
    log.info(
        "model fetched",
        uri=public(artifact.uri),
        sha256=digest,
        bytes=progress.bytes,
        seconds=round(time.monotonic() - progress.started, 3),
    )
    return digest


def _bring_one(uri: str, remote: Remote, work: Work, progress: Progress) -> str:
    key = f"{uri}\n{remote.name}"
    at, stamp = work.kept(key)
    try:
        with remote.open(at, stamp) as stream:
            if stream.start not in {0, at} or (stream.start and stream.stamp.tag != stamp.tag):
                raise Changed("the server answers another part than the one asked for")
            if at:
                log.info("continuing a fetch" if stream.start else "starting a fetch anew", uri=public(uri), bytes=at)
            if progress.total is None and not remote.name:
                progress.total = stream.stamp.size
            progress.skip(stream.start)
            with work.begin(key, stream.start, stream.stamp) as writer:
                for block in stream.blocks:
                    writer.write(block)
                    progress.advance(len(block))
                size = stream.stamp.size
                if size is not None and writer.length != size:
                    raise Passing(f"the answer ended after {writer.length} of {size} bytes")
                digest = writer.close()
    except Changed:
        work.drop_part()
        raise
    work.finish(remote.name, remote.listed, digest)
    return digest
