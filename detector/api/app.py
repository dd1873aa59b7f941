"""Puts the FastAPI application together."""

from fastapi import FastAPI
from fastapi.routing import APIRoute

from detector import __version__
from detector.api import problems
from detector.api.auth import require_declared
from detector.api.dependencies import ApiDependencies
from detector.api.guard import BodyLimit, LoopbackGuard
from detector.api.metrics import RequestMetrics, StoreCollector
from detector.api.problems import ProblemOut
from detector.api.routes import actions, clients, incidents, operations, references

ROUTERS = (
    incidents.router,
    actions.router,
    clients.router,
    references.router,
    references.activation_router,
    operations.router,
)

_TAGS: list[dict[str, str]] = [
    {"name": "incidents", "description": "Suspected attacks, their evidence and handling."},
    {"name": "clients", "description": "What is known of single clients."},
    {"name": "references", "description": "Models and their frozen pictures of benign traffic."},
    {"name": "operations", "description": "Liveness, readiness, metrics."},
]


def create_app(deps: ApiDependencies) -> FastAPI:
    """Return the application; raises `ConfigurationError` when it would be open to others."""
    app = FastAPI(
        title="querywatch",
        version=__version__,
        summary="Incidents of model extraction, inversion and membership inference.",
        openapi_url=problems.DOCUMENT,
        openapi_tags=_TAGS,
        # The interactive pages load scripts from a foreign host.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={413: {"model": ProblemOut, "description": "The body is too large."}},
    )
    app.state.dependencies = deps
    problems.install(app)
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute):
                require_declared(route, operations.PUBLIC_PATHS)
        app.include_router(router)
    _wrap(app, deps)
    deps.registry.register(StoreCollector(deps.store))
    return app


def _wrap(app: FastAPI, deps: ApiDependencies) -> None:
    """Add the middleware; what is added last sees a request first."""
    if not deps.keys:
        app.add_middleware(LoopbackGuard)
    app.add_middleware(BodyLimit, max_bytes=deps.max_body_bytes)
    app.add_middleware(RequestMetrics, registry=deps.registry)
