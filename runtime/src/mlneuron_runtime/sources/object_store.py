"""Objects and prefixes of S3 and Google Cloud Storage, by s3fs and gcsfs.

Endpoint and credentials are those that the libraries find by themselves: AWS_* and AWS_ENDPOINT_URL, web identities and
instance roles; GOOGLE_APPLICATION_CREDENTIALS, the metadata server, STORAGE_EMULATOR_HOST. Without any the request is
anonymous. An object is read in ranges, several on their way at a time, each bound to the ETag or generation that was
listed, so that one that is replaced meanwhile is never mixed.
"""

import asyncio
import concurrent.futures
import contextlib
import errno
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from mlneuron_runtime.failure import Fatal, Reason, public
from mlneuron_runtime.sources.remote import (
    Artifact,
    Changed,
    Passing,
    Stamp,
    Stream,
    answered,
    cause,
    forbidden,
    inside,
    not_found,
)

RANGE = 8 * 1024 * 1024
"""Bytes a request."""

AHEAD = 4
"""Requests at a time, and with them `RANGE` bytes each in memory."""

SILENCE = 120.0
"""Seconds for one range, the library's own attempts included."""

MOST_OBJECTS = 10_000
"""More are no model's folder but a mistyped prefix."""

CREDENTIALS = {
    "s3": "check the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) in the Secret that spec.model.credentials "
    "names, and that they may read it",
    "gs": "check the credentials (GOOGLE_APPLICATION_CREDENTIALS) in the Secret that spec.model.credentials names, and "
    "that they may read it",
}

Read = Callable[[Any, str, str | None, int, int], Coroutine[Any, Any, bytes]]


def resolve(uri: str) -> Artifact:
    """The object, or all below the prefix; raises Fatal and Passing."""
    scheme, _, rest = uri.partition(":")
    path = rest.removeprefix("//").rstrip("/") if rest.startswith("//") else ""
    if not path or path.startswith("/"):
        raise Fatal(
            Reason.CONFIG_INVALID, f"spec.model.uri: {public(uri)} names no bucket; write {scheme}://BUCKET/KEY"
        )
    with translated(uri):
        store = _s3() if scheme == "s3" else _gs()
        found = {} if uri.endswith("/") else _single(store, path)
        folder = not found
        if folder:
            found = store.find(path, detail=True)
    return _artifact(uri, path, found, folder, store)


def _single(store: Any, path: str) -> dict[str, Any]:
    info = store.info(path)
    return {path: info} if info["type"] == "file" else {}


def _artifact(uri: str, path: str, found: dict[str, Any], folder: bool, store: Any) -> Artifact:
    """`found` are the listed objects by bucket and key. Keys that end in a slash only mark folders."""
    listed = {key: info for key, info in found.items() if info["type"] == "file" and not info["name"].endswith("/")}
    if not listed:
        raise not_found(uri, "has no object")
    if len(listed) > MOST_OBJECTS:
        raise Fatal(
            Reason.CONFIG_INVALID,
            f"spec.model.uri: {public(uri)} has {len(listed)} objects; name the folder of one model",
        )
    objects = [
        StoredObject(uri, inside(uri, key[len(path) + 1 :]) if folder else "", key, _stamp(info), store)
        for key, info in sorted(listed.items())
    ]
    identity = "\n".join([uri, *(f"{one.name} {one.listed.tag} {one.listed.size}" for one in objects)])
    return Artifact(uri, objects, folder, identity=lambda: identity)


def _stamp(info: dict[str, Any]) -> Stamp:
    tag = info.get("generation") or info.get("ETag") or None
    return Stamp(str(tag) if tag else None, int(info["size"]))


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object; `key` with its bucket."""

    uri: str
    name: str
    key: str
    listed: Stamp
    store: Any

    @contextlib.contextmanager
    def open(self, at: int, stamp: Stamp) -> Iterator[Stream]:
        start = at if stamp == self.listed else 0
        yield Stream(self.listed, start, self._blocks(start))

    def _blocks(self, start: int) -> Iterator[bytes]:
        read = _s3_range if "s3" in self.store.protocol else _gs_range
        size = self.listed.size or 0
        starts = deque(range(start, size, RANGE))
        waiting: deque[concurrent.futures.Future[bytes]] = deque()
        try:
            while starts or waiting:
                while starts and len(waiting) < AHEAD:
                    first = starts.popleft()
                    asked = read(self.store, self.key, self.listed.tag, first, min(first + RANGE, size))
                    waiting.append(asyncio.run_coroutine_threadsafe(asked, self.store.loop))
                yield self._received(waiting.popleft())
        finally:
            for asked_for in waiting:
                asked_for.cancel()

    def _received(self, asked: concurrent.futures.Future[bytes]) -> bytes:
        try:
            with translated(self.uri):
                return asked.result(SILENCE)
        except Fatal as failure:
            if failure.reason is Reason.MODEL_NOT_FOUND:  # whether it is there at all, the next listing tells
                raise Changed("the object was replaced or removed meanwhile") from failure
            raise


async def _s3_range(store: Any, key: str, tag: str | None, first: int, end: int) -> bytes:
    bucket, name, _ = store.split_path(key)
    condition = {"IfMatch": tag} if tag else {}
    answer = await store._call_s3(
        "get_object", Bucket=bucket, Key=name, Range=f"bytes={first}-{end - 1}", **condition
    )  # fmt: skip
    async with answer["Body"] as body:
        content: bytes = await body.read()
        return content


async def _gs_range(store: Any, key: str, tag: str | None, first: int, end: int) -> bytes:
    content: bytes = await store._cat_file(key, start=first, end=end, generation=tag)
    return content


def _s3() -> Any:
    import botocore.session
    import s3fs

    anonymous = botocore.session.get_session().get_credentials() is None
    store = s3fs.S3FileSystem(
        anon=anonymous, use_listings_cache=False, skip_instance_cache=True,
        config_kwargs={"connect_timeout": 10, "read_timeout": 30, "retries": {"total_max_attempts": 1}},
    )  # fmt: skip
    store.retries = 1  # the attempts are counted, and told, in one place
    return store


def _gs() -> Any:
    from gcsfs.core import GCSFileSystem

    return GCSFileSystem(access="read_only", use_listings_cache=False, skip_instance_cache=True)


@contextlib.contextmanager
def translated(uri: str) -> Iterator[None]:
    """What the libraries raise, as what it means for the manifest."""
    try:
        yield
    except (Fatal, Passing):
        raise
    except FileNotFoundError as error:
        raise not_found(uri, "is not there") from error
    except Exception as error:  # botocore's, aiohttp's, google's and OSError
        raise _meaning(uri, error) from error


def _meaning(uri: str, error: Exception) -> Exception:
    text, code = cause(error), getattr(error, "code", None)
    credentials = CREDENTIALS[uri.partition(":")[0]]
    if isinstance(code, int) and 400 <= code < 600:
        return answered(uri, code, credentials)
    if "pre-conditions" in text:
        return Changed("the object was replaced meanwhile")
    refused = isinstance(error, PermissionError) or "Forbidden" in text or "Credentials" in type(error).__name__
    if refused or (isinstance(error, OSError) and error.errno == errno.EINVAL):
        return forbidden(uri, f"is refused ({text})", credentials)
    return Passing(text)
