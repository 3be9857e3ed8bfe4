"""Artifacts behind http and https, by the standard library: one download a pod needs no client library.

Credentials become an Authorization header for the URL's host alone, never sent on after a redirect.
"""

import base64
import contextlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from mlneuron_runtime.failure import Fatal, Reason, public
from mlneuron_runtime.sources import ranges
from mlneuron_runtime.sources.remote import BLOCK, Artifact, Passing, Stamp, Stream, answered, cause

CREDENTIALS = (
    "allow the download, or give credentials (HTTP_TOKEN, or HTTP_USERNAME and HTTP_PASSWORD) in the Secret that "
    "spec.model.credentials names"
)


def resolve(uri: str, stall: float, authorization: str | None = None) -> Artifact:
    """One file; the server is first asked when its bytes are. `stall` is the longest silence of it, in seconds;
    `authorization` the header, where the URI has no name and password itself.
    """
    file = HttpObject(uri, stall, authorization)
    return Artifact(uri, [file], folder=False, identity=file.identity)


class HttpObject:
    """What one URL answers."""

    name = ""
    listed = Stamp()

    def __init__(self, uri: str, stall: float, authorization: str | None) -> None:
        self._uri, self._stall, self._authorization = uri, stall, authorization
        self._seen: Stamp | None = None

    @contextlib.contextmanager
    def open(self, at: int, stamp: Stamp) -> Iterator[Stream]:
        with self._answer(ranges.asked(at, stamp)) as answer:
            start, self._seen = ranges.told(answer.status, answer.headers.get)
            yield Stream(self._seen, start, _blocks(answer))

    def identity(self) -> str | None:
        """The URL with the ETag of what was opened last, or is there now: one byte is asked for, since a signed URL may
        allow nothing but GET.
        """
        seen = self._seen
        if seen is None:
            with self._answer({"Range": "bytes=0-0"}) as answer:
                _, seen = ranges.told(answer.status, answer.headers.get)
        return None if seen.tag is None else f"{self._uri}\n{seen.tag}"

    def _answer(self, headers: dict[str, str]) -> http.client.HTTPResponse:
        return _open(self._uri, headers, self._authorization, self._stall)


def _blocks(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """Reading and writing fail apart, since a broken connection may pass and a full disk does not."""
    while True:
        try:
            block = answer.read(BLOCK)
        except (OSError, http.client.HTTPException) as error:
            raise Passing(cause(error)) from error
        if not block:
            return
        yield block


def _open(uri: str, headers: dict[str, str], authorization: str | None, stall: float) -> http.client.HTTPResponse:
    """The server's answer, once it is a 200 or 206."""
    try:
        answer: http.client.HTTPResponse = _opener().open(_request(uri, headers, authorization), timeout=stall)
        return answer
    except urllib.error.HTTPError as error:
        error.close()
        raise answered(uri, error.code, CREDENTIALS) from error
    except (http.client.InvalidURL, ValueError) as error:
        raise Fatal(  # the error's own text may quote the password
            Reason.CONFIG_INVALID,
            f"spec.model.uri: {public(uri)} is not a URL (no host, no number for a port, or a character that has to be "
            "escaped); correct it",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise Passing(cause(reason) if isinstance(reason, BaseException) else str(reason)) from error


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


def _request(uri: str, headers: dict[str, str], authorization: str | None) -> urllib.request.Request:
    parts = urlsplit(uri)
    if not parts.hostname:
        raise ValueError("it has no host")
    user, at, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=host).geturl(), headers=headers)  # noqa: S310  # the opener knows http(s) only
    request.add_header("User-Agent", "mlneuron-runtime")
    request.add_header("Accept-Encoding", "identity")
    if at:
        authorization = "Basic " + base64.b64encode(unquote(user).encode()).decode()
    if authorization:
        request.add_unredirected_header("Authorization", authorization)
    return request
