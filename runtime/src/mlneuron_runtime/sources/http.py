"""Artifacts behind http and https, by the standard library: one download a pod needs no client library.

The file appears under its name only when it is whole and its digest is right: it is written beside, synced,
renamed. A name and password in the URL become an Authorization header for that host alone, never sent on
after a redirect.
"""

import base64
import contextlib
import hashlib
import http.client
import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

import structlog

from mlneuron_runtime.failure import Fatal, Reason, first_line, public
from mlneuron_runtime.sources.digest import check_digest, sha256_of

log = structlog.get_logger()

BLOCK = 1024 * 1024
STALL_SECONDS = 30.0
"""Longest silence of the server, at connecting and between blocks."""

PAUSES = (0.5, 2.0, 5.0)
"""Seconds before each further attempt after a failure that may pass; afterwards the kubelet restarts the
pod.
"""

STALE_SECONDS = 600.0
"""A part this long untouched belongs to a fetch that was killed."""


class Passing(Exception):
    """A failure that another attempt may not meet: the network, a 5xx, a short answer."""


def download(
    uri: str, path: Path, pinned: str | None, *,
    stall: float = STALL_SECONDS, pauses: tuple[float, ...] = PAUSES,
    sleep: Callable[[float], None] = time.sleep,
) -> None:  # fmt: skip
    """Put the artifact at `path`, or raise Fatal and leave what was there. An existing file that matches is
    kept.
    """
    if pinned is not None and path.is_file() and sha256_of(path) == pinned.lower():
        log.info("model is there already", path=str(path), sha256=pinned.lower())
        return
    for pause in (*pauses, None):
        try:
            return _attempt(uri, path, pinned, stall)
        except Passing as failure:
            if pause is None:
                raise Fatal(
                    Reason.MODEL_FETCH_FAILED,
                    f"spec.model.uri: {public(uri)} cannot be fetched ({failure}); check that the server "
                    "answers from "
                    "inside the cluster",
                ) from failure
            log.warning("fetch failed, trying again", uri=public(uri), cause=str(failure), after_seconds=pause)
            sleep(pause)


def _attempt(uri: str, path: Path, pinned: str | None, stall: float) -> None:
    started = time.monotonic()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale_parts(path)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False
        ) as part:
            try:
                digest, size = _stream(uri, part, stall)
                check_digest(uri, digest, pinned)
                os.fchmod(part.fileno(), 0o644)
                os.fsync(part.fileno())
                os.replace(part.name, path)
            except BaseException:
                os.unlink(part.name)
                raise
    except OSError as error:
        raise Fatal(
            Reason.MODEL_FETCH_FAILED,
            f"spec.model.uri: {public(uri)} cannot be written to {path} ({error.strerror or error}); give "
            "the model "
            "volume more room",
        ) from error
    log.info(
        "model fetched",
        uri=public(uri),
        sha256=digest,
        bytes=size,
        seconds=round(time.monotonic() - started, 3),
    )


def _stream(uri: str, target: IO[bytes], stall: float) -> tuple[str, int]:
    """Copy the answer's body; its sha256 and size."""
    sha256, size = hashlib.sha256(), 0
    with _open(uri, stall) as answer:
        while block := _read(answer):
            sha256.update(block)
            size += len(block)
            target.write(block)
        expected = answer.headers.get("Content-Length")
    if expected is not None and expected.isdigit() and size != int(expected):
        raise Passing(f"the answer ended after {size} of {expected} bytes")
    target.flush()
    return sha256.hexdigest(), size


def _open(uri: str, stall: float) -> http.client.HTTPResponse:
    """The server's answer, once it is a 200."""
    try:
        answer: http.client.HTTPResponse = _opener().open(_request(uri), timeout=stall)
        return answer
    except urllib.error.HTTPError as error:
        error.close()
        raise _refused(uri, error.code) from error
    except (http.client.InvalidURL, ValueError) as error:
        raise Fatal(
            Reason.CONFIG_INVALID, f"spec.model.uri: {public(uri)} is not a URL ({error}); correct it"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        raise Passing(first_line(cause) if isinstance(cause, BaseException) else str(cause)) from error


def _read(answer: http.client.HTTPResponse) -> bytes:
    """The next block; reading and writing fail apart, since a broken connection may pass and a full disk does
    not.
    """
    try:
        return answer.read(BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise Passing(first_line(error)) from error


def _refused(uri: str, status: int) -> Exception:
    """The server's own answer, as what it means for the manifest."""
    where = public(uri)
    if status in {404, 410}:
        return Fatal(
            Reason.MODEL_NOT_FOUND,
            f"spec.model.uri: {where} answers {status}; correct the URI or upload the artifact",
        )
    if status in {401, 403}:
        return Fatal(
            Reason.MODEL_FETCH_FAILED,
            f"spec.model.uri: {where} answers {status}; allow the download or give credentials in the URI",
        )
    if status >= 500 or status in {408, 425, 429}:
        return Passing(f"the server answers {status}")
    return Fatal(Reason.MODEL_FETCH_FAILED, f"spec.model.uri: {where} answers {status}; correct the URI")


def _opener() -> urllib.request.OpenerDirector:
    """http and https only, so that no redirect leads to a file or ftp URL; proxies as the environment
    says.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _request(uri: str) -> urllib.request.Request:
    parts = urlsplit(uri)
    if not parts.hostname:
        raise ValueError("it has no host")
    user, at, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=host).geturl())  # noqa: S310  # the opener knows http(s) only
    request.add_header("User-Agent", "mlneuron-runtime")
    request.add_header("Accept-Encoding", "identity")
    if at:
        credentials = base64.b64encode(unquote(user).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {credentials}")
    return request


def _remove_stale_parts(path: Path) -> None:
    """A fetch that was killed leaves its part behind; a volume that survives it must not fill up with
    them.
    """
    for part in path.parent.glob(f".{path.name}.*.part"):
        with contextlib.suppress(FileNotFoundError):  # another fetch may have renamed it just now
            if time.time() - part.stat().st_mtime > STALE_SECONDS:
                part.unlink()
