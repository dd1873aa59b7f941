"""Liveness, readiness and metrics, for the platform that runs the service."""

import logging
from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from detector.api import examples
from detector.api.dependencies import Deps
from detector.api.schemas import CheckOut, HealthOut, ReadinessOut
from detector.kit.errors import QuerywatchError

router = APIRouter(tags=["operations"])
PUBLIC_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
_log = logging.getLogger(__name__)
_READY: examples.Responses = {
    200: {
        "description": "Ready.",
        "content": {"application/json": {"example": examples.READY}},
    },
    503: {
        "description": "Not ready; the checks say what is missing.",
        "model": ReadinessOut,
        "content": {"application/json": {"example": examples.NOT_READY}},
    },
}
_MEASURED: examples.Responses = {
    200: {"description": "Done.", "content": {"text/plain": {"example": examples.METRICS}}}
}
_HEALTHY: examples.Responses = {
    200: {"description": "Alive.", "content": {"application/json": {"example": examples.HEALTH}}}
}


@router.get("/healthz", summary="Is the process alive?", responses=_HEALTHY)
async def health() -> HealthOut:
    """Answer at once, whatever the database does; a restart would not mend a database."""
    return HealthOut(status="alive")


@router.get("/readyz", summary="Can work be done?", responses=_READY)
def readiness(deps: Deps, response: Response) -> ReadinessOut:
    """Say of the database, its schema and the further parts whether they are ready."""
    probes = {"database": deps.store.ready, **deps.probes}
    checks = tuple(_check(name, probe) for name, probe in probes.items())
    ready = all(check.ready for check in checks)
    if not ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return ReadinessOut(ready=ready, checks=checks)


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=PlainTextResponse,
    responses=_MEASURED,
)
def metrics(deps: Deps) -> Response:
    """Return every metric of the process; no label names a client."""
    return Response(generate_latest(deps.registry), media_type=CONTENT_TYPE_LATEST)


def _check(name: str, probe: Callable[[], None]) -> CheckOut:
    try:
        probe()
    except QuerywatchError as error:
        return CheckOut(name=name, ready=False, detail=str(error))
    except Exception as error:
        # A message of a driver may hold addresses or credentials: it goes to the log alone.
        _log.warning("readiness of %s: %s", name, error)
        return CheckOut(name=name, ready=False, detail=f"failed with {type(error).__name__}")
    return CheckOut(name=name, ready=True, detail="")
