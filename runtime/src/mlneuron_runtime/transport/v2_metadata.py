"""Of the Open Inference Protocol over REST, all but inference: health, metadata, and the model repository extension.

What is served is the operator's to decide: loading the model that is loaded is granted, unloading it is not.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version as version_of
from typing import Any, NamedTuple
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.errors import Unimplemented
from mlneuron_runtime.transport import oip
from mlneuron_runtime.transport.wire import encode, parse_object, read_body

PREFIX = b"/v2/models/"
SERVER = "mlneuron-runtime"

UNLOAD = "this server does not unload its model; delete the neuron, or change its spec.model"

Told = tuple[int, Any]
"""Status and JSON content."""


@cache
def server_version() -> str:
    return version_of(SERVER)


def routes(plane: DataPlane, infer: ASGIApp) -> list[Route]:
    """All paths of the protocol; `infer` is the endpoint of the one that predicts."""

    async def index(request: Request) -> Response:
        serving = plane.config.serving
        body = await read_body(request.scope, request.receive, serving.max_body_bytes, serving.timeout_seconds)
        ready_only = bool(body) and parse_object(body).get("ready") is True
        return answer(200, repository_index(plane, ready_only))

    async def load(request: Request) -> Response:
        served = plane.model(request.path_params["name"])
        return answer(200, {"name": served.name, "load": True})

    async def unload(request: Request) -> Response:
        plane.model(request.path_params["name"])
        raise Unimplemented("model", UNLOAD)

    return [
        _get("/v2", lambda: (200, server_metadata())),
        _get("/v2/health/live", lambda: live(plane)),
        _get("/v2/health/ready", lambda: ready(plane)),
        _get("/v2/models", lambda: (200, models(plane))),
        Route("/v2/models/{rest:path}", Models(plane, infer)),
        Route("/v2/repository/index", index, methods=["POST"]),
        Route("/v2/repository/models/{name}/load", load, methods=["POST"]),
        Route("/v2/repository/models/{name}/unload", unload, methods=["POST"]),
    ]


def _get(path: str, told: Callable[[], Told]) -> Route:
    async def endpoint(_request: Request) -> Response:
        return answer(*told())

    return Route(path, endpoint)


def answer(status: int, content: object) -> Response:
    return Response(encode(content), status, media_type="application/json")


def server_metadata() -> dict[str, Any]:
    return {"name": SERVER, "version": server_version(), "extensions": list(oip.EXTENSIONS)}


def live(plane: DataPlane) -> Told:
    """As /livez."""
    return (200 if plane.works else 503), {"live": plane.works}


def ready(plane: DataPlane) -> Told:
    """As /readyz."""
    return (200 if plane.ready else 503), {"ready": plane.ready}


def models(plane: DataPlane) -> dict[str, Any]:
    served = plane.served
    return {"models": [] if served is None else [served.name]}


def repository_index(plane: DataPlane, ready_only: bool = False) -> list[dict[str, str]]:
    """The repository holds the one model, in one of Triton's states."""
    source, served = plane.config.model, plane.served
    if served is None:
        entry = {"name": source.name, "version": source.version or "", "state": "LOADING", "reason": ""}
    else:
        state, reason = ("READY", "") if plane.ready else ("UNAVAILABLE", "the server is stopping or hangs")
        entry = {"name": served.name, "version": served.version, "state": state, "reason": reason}
    return [] if ready_only and entry["state"] != "READY" else [entry]


class Target(NamedTuple):
    """Of a path under /v2/models/. `action` is "", "ready" or "infer"."""

    name: str
    version: str | None
    action: str


def target_of(raw_path: bytes) -> Target | None:
    """What a path names, from its escaped form: only there is a slash within a name none between two."""
    parts = [unquote(part) for part in raw_path.removeprefix(PREFIX).decode("latin-1").split("/")]
    name, rest = parts[0], parts[1:]
    version = None
    if len(rest) > 1 and rest[0] == "versions":
        version, rest = rest[1], rest[2:]
    if not name or version == "" or rest not in ([], ["ready"], ["infer"]):
        return None
    return Target(name, version, rest[0] if rest else "")


class Models:
    """All paths under /v2/models/."""

    def __init__(self, plane: DataPlane, infer: ASGIApp) -> None:
        self.plane, self.infer = plane, infer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = target_of(scope["raw_path"])
        if target is None:
            raise HTTPException(404)
        allowed = ("POST",) if target.action == "infer" else ("GET", "HEAD")
        if scope["method"] not in allowed:
            raise HTTPException(405, headers={"Allow": ", ".join(allowed)})
        if target.action == "infer":
            await self.infer({**scope, "path_params": named(target)}, receive, send)
            return
        served = self.plane.model(target.name, target.version)
        told: Told = 200, oip.metadata(served)
        if target.action == "ready":
            status, state = ready(self.plane)
            told = status, {"name": served.name, **state}
        await answer(*told)(scope, receive, send)


def named(target: Target) -> Mapping[str, str]:
    """As Starlette's router would tell it."""
    return {"name": target.name} if target.version is None else {"name": target.name, "version": target.version}
