"""Reading incidents: lists, one in full, its timeline."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from detector.api import examples
from detector.api.auth import Requires
from detector.api.dependencies import Deps
from detector.api.inputs import IncidentFilters, IncidentId
from detector.api.keys import Permission
from detector.api.schemas import (
    IncidentOut,
    IncidentPageOut,
    IncidentSummaryOut,
    TimelineEntryOut,
    TimelineOut,
)
from detector.incidents.model import Incident
from detector.kit.errors import NotFoundError
from detector.pipeline.ports import Transaction

router = APIRouter(
    prefix="/api/v1/incidents",
    tags=["incidents"],
    dependencies=[Depends(Requires(Permission.INCIDENTS_READ))],
)


def found(transaction: Transaction, incident_id: str, *, hold: bool = False) -> Incident:
    """Return the incident, with `hold` for a change of it; raises `NotFoundError`."""
    incident = transaction.incidents.get(incident_id, hold=hold)
    if incident is None:
        raise NotFoundError(f"no incident has the id {incident_id}")
    return incident


def etag(incident: Incident) -> str:
    """Return the entity tag of the incident's version (RFC 9110, 8.8.3)."""
    return f'"{incident.version}"'


@router.get("", summary="List incidents", responses=examples.shown(examples.PAGE))
def list_incidents(deps: Deps, filters: Annotated[IncidentFilters, Query()]) -> IncidentPageOut:
    """Return incidents, newest first; follow `next_cursor` through `after` for the rest."""
    with deps.store.transaction() as transaction:
        page = transaction.incidents.list(filters.query())
    items = tuple(IncidentSummaryOut.model_validate(item) for item in page.items)
    return IncidentPageOut(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{incident_id}",
    summary="Show an incident",
    responses=examples.shown(examples.INCIDENT, HTTPStatus.NOT_FOUND),
)
def show_incident(deps: Deps, incident_id: IncidentId, response: Response) -> IncidentOut:
    """Return the incident with evidence, severity breakdown, ATLAS names and mitigations."""
    with deps.store.transaction() as transaction:
        incident = found(transaction, incident_id)
    response.headers["ETag"] = etag(incident)
    return IncidentOut.of(incident)


@router.get(
    "/{incident_id}/timeline",
    summary="Show an incident's timeline",
    responses=examples.shown(examples.TIMELINE, HTTPStatus.NOT_FOUND),
)
def show_timeline(deps: Deps, incident_id: IncidentId) -> TimelineOut:
    """Return every act of machine and people in order, chained by hash."""
    with deps.store.transaction() as transaction:
        found(transaction, incident_id)
        entries = transaction.incidents.timeline(incident_id)
    return TimelineOut(items=tuple(TimelineEntryOut.model_validate(entry) for entry in entries))
