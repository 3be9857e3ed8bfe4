"""The two Starlette apps: constructor calls, and nothing else.

They have no lifespan: the server listens before the model is loaded, so that probes are answered, and owns
both.
"""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.transport import management
from mlneuron_runtime.transport.envelope import Envelope, no_route
from mlneuron_runtime.transport.guide import BatchPredict, Predict


def serving_app(plane: DataPlane) -> Starlette:
    """Port 8080: predictions, probes, the guide's /health and /models."""
    predictions = [
        Route("/predict", Predict(plane), methods=["POST"]),
        Route("/batch_predict", BatchPredict(plane), methods=["POST"]),
    ]
    return _app(plane, [*predictions, *management.routes(plane)])


def telemetry_app(plane: DataPlane, started_at: float) -> Starlette:
    """Port 9090: /metrics for Prometheus and /stats for the operator. `started_at` is in Unix seconds."""
    return _app(plane, management.telemetry_routes(plane, started_at))


def _app(plane: DataPlane, routes: list[BaseRoute] | list[Route]) -> Starlette:
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Envelope, draining=lambda: plane.draining)],
        exception_handlers={HTTPException: no_route},
    )
    app.router.redirect_slashes = False  # a redirect would be an answer in another shape
    return app
