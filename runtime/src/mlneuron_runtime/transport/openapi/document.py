"""The whole document, and the path that tells it."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.loading import Served
from mlneuron_runtime.settings import Config
from mlneuron_runtime.transport.openapi import answers, competing, guide, rows, v1, v2
from mlneuron_runtime.transport.wire import encode

VERSION = "3.1.0"

TOKEN = {"type": "http", "scheme": "bearer", "description": "A token of serving.tokenFile"}


def document(config: Config, served: Served | None) -> dict[str, Any]:
    """Of what answers now; the model is described once it is loaded."""
    name = config.model.name
    guarded = config.serving.token_file is not None
    extra = (401,) if guarded else ()
    paths = guide.paths(served, extra) | v1.paths(served, name, extra) | v2.paths(served, name, extra)
    paths["/openapi.json"] = {"get": guide.asked("openapi", "This document", {"200": answers.of({"type": "object"})})}
    components: dict[str, Any] = {"schemas": schemas(served)}
    found = {"openapi": VERSION, "info": info(config, served), "paths": paths, "components": components}
    if competing.competes(config):
        competing.add(found, extra, pod_of_a_variant=config.serving.traffic_file is None)
    if guarded:
        components["securitySchemes"] = {"token": TOKEN}
        for path in paths.values():
            for operation in path.values():
                if isinstance(operation, dict) and "401" in operation["responses"]:
                    operation["security"] = [{"token": []}]
    return found


def info(config: Config, served: Served | None) -> dict[str, str]:
    neuron = config.neuron
    told = "the model is being loaded" if served is None else f"{served.model.type}, served by {served.engine}"
    return {
        "title": f"{neuron.namespace}/{neuron.name}",
        "version": (config.model.version or "unknown") if served is None else served.version,
        "description": f"Model {config.model.name}: {told}",
    }


def schemas(served: Served | None) -> dict[str, Any]:
    signature = None if served is None else served.model.signature
    return {
        "Row": rows.row(signature),
        "Value": rows.prediction(served),
        **guide.schemas(served),
        **v1.schemas(served),
        **v2.schemas(served),
        **answers.SCHEMAS,
    }


def routes(plane: DataPlane) -> list[Route]:
    """GET /openapi.json."""

    async def openapi(_request: Request) -> Response:
        return Response(encode(document(plane.config, plane.served)), media_type="application/json")

    return [Route("/openapi.json", openapi)]
