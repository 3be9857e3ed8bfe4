"""The two Starlette apps: constructor calls, and nothing else.

They have no lifespan: the server listens before the model is loaded, so that probes are answered, and owns
both.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp

from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.transport import management, openapi, v1, v2, v2_metadata
from mlneuron_runtime.transport.around import Around
from mlneuron_runtime.transport.direct import Direct
from mlneuron_runtime.transport.envelope import Envelope, no_route
from mlneuron_runtime.transport.guide import BatchPredict, Predict
from mlneuron_runtime.transport.prediction import Endpoint, Form

if TYPE_CHECKING:
    from mlneuron_runtime.traffic.traffic import Traffic


def serving_app(plane: DataPlane, around: Around | None = None) -> Starlette:
    """Port 8080: predictions, probes, the guide's /health and /models. `around` is what the process's transports
    share.
    """
    within = Around.of(plane) if around is None else around

    def endpoints(forms: Mapping[str, Form], protocol: str) -> dict[str, ASGIApp]:
        return within.each({path: Endpoint(plane, form) for path, form in forms.items()}, protocol)

    hot = endpoints(guide(plane), "guide") | endpoints(v1.hot(plane), "v1") | endpoints(v2.hot(plane), "v2")
    others = endpoints(v1.predictions(plane), "v1")
    predictions = [Route(path, endpoint, methods=["POST"]) for path, endpoint in (hot | others).items()]
    told = (
        []
        if within.traffic is None or within.traffic.named
        else [Route("/feedback", within.guarded(feedback(plane, within.traffic)), methods=["POST"])]
    )
    of_v2 = v2_metadata.routes(plane, within(Endpoint(plane, v2.Infer(plane)), "v2", "/v2/models/{name}/infer"))
    return _app(
        plane,
        [*predictions, *told, *v1.metadata(plane), *of_v2, *management.routes(plane), *openapi.routes(plane)],
        hot,
    )


def guide(plane: DataPlane) -> dict[str, Form]:
    """The guide's paths that predict."""
    return {"/predict": Predict(plane), "/batch_predict": BatchPredict(plane)}


def direct(plane: DataPlane, around: Around) -> dict[str, Direct]:
    """Who answers small requests on their connection, by the paths that carry the load; nobody where more goes on
    around a request.
    """
    forms = guide(plane) | v1.hot(plane) | v2.hot(plane)
    return {path: Direct(plane, form) for path, form in forms.items()} if around.is_bare else {}


def feedback(plane: DataPlane, traffic: "Traffic") -> ASGIApp:
    from mlneuron_runtime.transport.feedback import Feedback

    return Feedback(plane, traffic)


def telemetry_app(plane: DataPlane, started_at: float) -> Starlette:
    """Port 9090: probes, /metrics for Prometheus and /stats for the operator. `started_at` is in Unix seconds."""
    return _app(plane, management.telemetry_routes(plane, started_at), {})


def _app(plane: DataPlane, routes: list[Route], hot: Mapping[str, ASGIApp]) -> Starlette:
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False  # a redirect would be an answer in another shape
    routed = ExceptionMiddleware(app.router, {HTTPException: no_route})  # without Starlette's own answer to the rest
    app.middleware_stack = Envelope(routed, draining=lambda: plane.draining, hot=hot)
    return app
