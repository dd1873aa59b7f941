"""What an analyst does to an incident. Each request is one transaction, committed here."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from detector.api import examples
from detector.api.auth import Requires
from detector.api.dependencies import ApiDependencies, dependencies
from detector.api.inputs import (
    AcknowledgeIn,
    AssignIn,
    CloseIn,
    CommentIn,
    IfMatch,
    IncidentId,
    ReopenIn,
    SeverityIn,
    StageIn,
)
from detector.api.keys import Permission
from detector.api.problems import Problem
from detector.api.routes.incidents import etag, found
from detector.api.schemas import IncidentOut
from detector.incidents.model import Incident
from detector.pipeline.analyst import Analyst

router = APIRouter(prefix="/api/v1/incidents/{incident_id}", tags=["incidents"])

_ANSWERS = examples.shown(
    examples.INCIDENT,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.PRECONDITION_FAILED,
)


class Change:
    """One analyst's change of one incident, as far as the request's head tells it."""

    def __init__(
        self,
        incident_id: IncidentId,
        response: Response,
        actor: Annotated[str, Depends(Requires(Permission.INCIDENTS_WRITE))],
        deps: Annotated[ApiDependencies, Depends(dependencies)],
        if_match: IfMatch = None,
    ) -> None:
        """Take what FastAPI found in the request."""
        self.incident_id = incident_id
        self._response = response
        self._actor = actor
        self._deps = deps
        self._if_match = if_match

    def make(self, act: Callable[[Analyst], object]) -> IncidentOut:
        """Do `act` in one transaction and return the incident as it is afterwards."""
        with self._deps.store.transaction() as transaction:
            # Held, so that what is changed is the version that was compared.
            self._require_match(found(transaction, self.incident_id, hold=True))
            act(Analyst(transaction, self._actor, self._deps.clock))
            incident = found(transaction, self.incident_id)
        self._response.headers["ETag"] = etag(incident)
        return IncidentOut.of(incident)

    def _require_match(self, incident: Incident) -> None:
        if self._if_match is None:
            return
        tags = {tag.strip() for tag in self._if_match.split(",")}
        if tags.isdisjoint({"*", etag(incident)}):
            raise Problem(
                HTTPStatus.PRECONDITION_FAILED,
                f"the incident is at version {incident.version} by now",
                {"ETag": etag(incident)},
            )


Changing = Annotated[Change, Depends()]


@router.post("/acknowledge", summary="Acknowledge an incident", responses=_ANSWERS)
def acknowledge(change: Changing, body: AcknowledgeIn | None = None) -> IncidentOut:
    """Take notice: escalation stops, and the caller takes it on unless another is named."""
    assignee = None if body is None else body.assignee
    return change.make(lambda analyst: analyst.acknowledge(change.incident_id, assignee))


@router.post("/assign", summary="Assign an incident", responses=_ANSWERS)
def assign(change: Changing, body: AssignIn) -> IncidentOut:
    """Hand it to somebody, or to nobody."""
    return change.make(lambda analyst: analyst.assign(change.incident_id, body.assignee))


@router.post("/comments", summary="Comment on an incident", responses=_ANSWERS)
def comment(change: Changing, body: CommentIn) -> IncidentOut:
    """Add a remark to the timeline."""
    return change.make(lambda analyst: analyst.comment(change.incident_id, body.text))


@router.post("/stage", summary="Move an incident to a stage", responses=_ANSWERS)
def move(change: Changing, body: StageIn) -> IncidentOut:
    """Move it along the state machine; 409 names the allowed moves."""
    return change.make(lambda analyst: analyst.move(change.incident_id, body.stage))


@router.post("/close", summary="Close an incident with a verdict", responses=_ANSWERS)
def close(change: Changing, body: CloseIn) -> IncidentOut:
    """End it with what was concluded."""
    return change.make(
        lambda analyst: analyst.close(change.incident_id, body.verdict, body.comment)
    )


@router.post("/reopen", summary="Reopen an incident", responses=_ANSWERS)
def reopen(change: Changing, body: ReopenIn | None = None) -> IncidentOut:
    """Take it up again; a reason goes to the timeline as a comment."""
    return change.make(
        lambda analyst: _explained(
            analyst,
            change.incident_id,
            None if body is None else body.reason,
            lambda: analyst.reopen(change.incident_id),
        )
    )


@router.post("/severity", summary="Override an incident's severity", responses=_ANSWERS)
def override_severity(change: Changing, body: SeverityIn) -> IncidentOut:
    """Set the severity that counts; the computed one stays beside it."""
    return change.make(
        lambda analyst: _explained(
            analyst,
            change.incident_id,
            body.reason,
            lambda: analyst.override_severity(change.incident_id, body.severity),
        )
    )


def _explained(
    analyst: Analyst, incident_id: str, reason: str | None, act: Callable[[], object]
) -> None:
    """Do the act, then put the reason beside it."""
    act()
    if reason is not None:
        analyst.comment(incident_id, reason)
