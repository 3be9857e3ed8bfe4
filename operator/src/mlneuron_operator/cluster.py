"""The only Kubernetes I/O: dictionaries in and out over one kept-alive session.

Login (kubeconfig, exec plugins, in-cluster tokens and their renewal) is the ``kubernetes`` package's; the requests are
aiohttp's own, since a typed client costs three times the CPU a request and this operator makes thousands.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Self

import aiohttp
import orjson
from kubernetes import config as login
from kubernetes.client import Configuration

from .api.names import MANAGER
from .kinds import Kind, kind_of
from .metrics import Metrics

Object = dict[str, Any]

PAGE: Final = 500
"""Objects a page of a list: bounds the memory that a list takes at once."""

_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, sock_connect=5)
_WATCH_SECONDS: Final = 290
_SILENCE_SECONDS: Final = 150
"""A watch that brings not even a bookmark for this long (the server sends one a minute) is taken for dead."""


class ApiError(Exception):
    """The API server refused or failed a request; ``message`` is its own word."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


FAULTS: Final = (ApiError, aiohttp.ClientError, TimeoutError, OSError)
"""Every way in which a request can fail that is not a defect of the caller."""


class Cluster:
    """Requests to one API server."""

    def __init__(self, configuration: Configuration, metrics: Metrics, connections: int = 32) -> None:
        self._configuration = configuration
        self._metrics = metrics
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=_ssl_context(self._configuration), limit=0, limit_per_host=0)
        self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT)
        self._slots = asyncio.Semaphore(self._connections)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """An object, or None where there is none."""
        try:
            return await self._call("GET", kind.path(namespace, name), kind)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def pages(
        self, kind: Kind, namespace: str | None, selector: str = ""
    ) -> AsyncIterator[tuple[list[Object], int]]:
        """All objects of a kind, page by page, each page with the resource version of the whole list."""
        token = ""
        while True:
            params = {"limit": str(PAGE), "labelSelector": selector, "continue": token}
            page = await self._call("GET", kind.path(namespace), kind, params={k: v for k, v in params.items() if v})
            yield page["items"], int(page["metadata"]["resourceVersion"])
            token = page["metadata"].get("continue", "")
            if not token:
                return

    async def list_all(self, kind: Kind, *, namespace: str | None, label_selector: str = "") -> list[Object]:
        """All objects of a kind at once, for kinds of few objects."""
        return [obj async for items, _ in self.pages(kind, namespace, label_selector) for obj in items]

    async def watch(
        self, kind: Kind, namespace: str | None, selector: str, since: int
    ) -> AsyncIterator[tuple[str, Object]]:
        """Changes after ``since`` as (type, object), bookmarks among them, until the server ends the stream."""
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": selector,
            "resourceVersion": str(since),
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=_SILENCE_SECONDS)
        async with self._open("GET", kind.path(namespace), params=params, timeout=timeout) as response:
            await _raise_for_status(response)
            async for line in _lines(response):
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise ApiError(status.get("code", 500), status.get("reason", ""), status.get("message", ""))
                yield event["type"], event["object"]

    async def apply(self, obj: Object, *, force: bool = True) -> Object:
        """Server-side apply under the operator's field manager; the object as it then is.

        Without ``force``, fields that another manager holds with another value raise ApiError 409.
        """
        return await self._apply(obj, force=force)

    async def overwrite(self, obj: Object) -> Object:
        """Merge patch: lists become as they are here, also where an apply would keep what others put in them."""
        kind, meta = kind_of(obj), obj["metadata"]
        path, params = kind.path(meta["namespace"], meta["name"]), {"fieldManager": MANAGER}
        return await self._call("PATCH", path, kind, body=obj, params=params, content="application/merge-patch+json")

    async def apply_status(self, obj: Object) -> Object:
        """Server-side apply of the whole status; the object as it then is."""
        return await self._apply(obj, force=True, subresource="status")

    async def annotate(self, kind: Kind, namespace: str, name: str, annotations: Mapping[str, str]) -> Object | None:
        """Write annotations of an object that is another's; the object as it then is, None where there is none."""
        body = {"metadata": {"annotations": dict(annotations)}}
        path, params = kind.path(namespace, name), {"fieldManager": MANAGER}
        try:
            return await self._call(
                "PATCH", path, kind, body=body, params=params, content="application/merge-patch+json"
            )
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def create(self, kind: Kind, namespace: str, obj: Object) -> Object:
        """Create an object. ApiError 409 where it exists."""
        return await self._call("POST", kind.path(namespace), kind, body=obj, params={"fieldManager": MANAGER})

    async def update(self, kind: Kind, obj: Object) -> Object:
        """Replace an object at the resource version it names. ApiError 409 where it has moved on."""
        meta = obj["metadata"]
        return await self._call("PUT", kind.path(meta["namespace"], meta["name"]), kind, body=obj)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete an object if it is still the one with this uid; its dependents go in the background."""
        body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self._call("DELETE", kind.path(namespace, name), kind, body=body)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise

    async def fetch_json(self, url: str, timeout_seconds: float) -> Any:
        """A JSON document from a pod: an absolute URL directly, a path through the API server."""
        timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        request = (
            self._open("GET", url, timeout=timeout) if url.startswith("/") else self._live().get(url, timeout=timeout)
        )
        async with request as response:
            await _raise_for_status(response)
            return orjson.loads(await response.read())

    async def _apply(self, obj: Object, *, force: bool, subresource: str = "") -> Object:
        kind, meta = kind_of(obj), obj["metadata"]
        params = {"fieldManager": MANAGER, "force": "true" if force else "false"}
        path = kind.path(meta["namespace"], meta["name"], subresource)
        return await self._call("PATCH", path, kind, body=obj, params=params, content="application/apply-patch+yaml")

    async def _call(
        self,
        method: str,
        path: str,
        kind: Kind,
        *,
        body: Object | None = None,
        params: Mapping[str, str] | None = None,
        content: str = "application/json",
    ) -> Object:
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": content} if data is not None else {}
        start, code = time.perf_counter(), "error"
        try:
            async with self._slots, self._open(method, path, params=params, data=data, headers=headers) as response:
                code = str(response.status)
                await _raise_for_status(response)
                answer: Object = orjson.loads(await response.read())
                return answer
        finally:
            self._metrics.api_request(method, kind.plural, code, time.perf_counter() - start)

    def _open(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> aiohttp.client._RequestContextManager:
        token = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        auth = {"Authorization": token} if token else {}
        return self._live().request(
            method, self._configuration.host + path, headers={**(headers or {}), **auth}, **options
        )

    def _live(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the cluster is used outside of its async with block")
        return self._session


def current_configuration() -> Configuration:
    """Where the API server is and how to log in: the pod's own account, else the current kubeconfig context."""
    configuration = Configuration()
    try:
        login.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except login.ConfigException:
        login.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    return configuration


def _ssl_context(configuration: Configuration) -> ssl.SSLContext | bool:
    if not configuration.host.startswith("https"):
        return False
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _raise_for_status(response: aiohttp.ClientResponse) -> None:
    if response.status < 400:
        return
    text = await response.read()
    try:
        status = orjson.loads(text)
        reason, message = status.get("reason", ""), status.get("message", "")
    except (orjson.JSONDecodeError, AttributeError):
        reason, message = response.reason or "", text.decode(errors="replace")[:500]
    raise ApiError(response.status, reason, message)


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Lines of a stream of any length; aiohttp's own line reader refuses those over its buffer's size."""
    rest: list[bytes] = []
    async for chunk in response.content.iter_any():
        head, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            rest.append(chunk)
            continue
        for line in (b"".join(rest) + head).split(b"\n"):
            if line:
                yield line
        rest = [tail] if tail else []
