"""What the API accepts: bodies and filters, each bounded, unknown fields refused."""

import re
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Header, Path, Request
from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from detector.incidents.model import Severity, Stage, Verdict
from detector.pipeline.ports import IncidentQuery
from detector.scoring.finding import AttackClass

MAX_PAGE = 200
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]", re.ASCII)


def _storable(text: str) -> str:
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds a character that no text may hold (NUL or a surrogate)")
    return text


def _written_out(text: object) -> object:
    # Pydantic reads a number as seconds or milliseconds, as its size suggests.
    if not isinstance(text, str) or not _DATE.match(text):
        raise ValueError("must be a time as in RFC 3339, such as 2026-05-04T09:12:31Z")
    return text


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies outside the years 1 to 9999, UTC") from error


Time = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_utc)]
Identifier = Annotated[str, StringConstraints(max_length=1024), AfterValidator(_storable)]
Required = Annotated[Identifier, Field(min_length=1)]
Person = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_storable),
]
Comment = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000),
    AfterValidator(_storable),
]
IncidentId = Annotated[
    str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$", description="The incident's id.")
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=1024,
        description="The ETag that the change is based on; 412 when the incident has moved on.",
    ),
]


class OnlyFilters:
    """A dependency that refuses filters with other names, which would be passed over."""

    def __init__(self, *names: str) -> None:
        """Let these pass."""
        self._names = frozenset(names)

    def __call__(self, request: Request) -> None:
        """Raise the error of an invalid request that names each."""
        unknown = sorted(set(request.query_params) - self._names)
        if unknown:
            message = "Extra inputs are not permitted"
            raise RequestValidationError(
                [{"type": "extra_forbidden", "loc": ("query", n), "msg": message} for n in unknown]
            )


class Body(BaseModel):
    """Base of every accepted body."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AcknowledgeIn(Body):
    """Somebody takes notice."""

    assignee: Person | None = Field(None, description="Who takes it; the caller unless given.")


class AssignIn(Body):
    """Somebody takes it on, or nobody."""

    assignee: Person | None = Field(description="Who takes it; null takes it from everybody.")


class CommentIn(Body):
    """A remark for the timeline."""

    text: Comment = Field(description="The remark.")


class CloseIn(Body):
    """The end, with what the analyst concluded."""

    verdict: Verdict = Field(description="What it was.")
    comment: Comment | None = Field(None, description="Why; goes to the timeline.")


class ReopenIn(Body):
    """Work begins again."""

    reason: Comment | None = Field(None, description="Why; goes to the timeline.")


class SeverityIn(Body):
    """An analyst's severity in place of the computed one."""

    severity: Severity | None = Field(description="Null returns to the computed one.")
    reason: Comment | None = Field(None, description="Why; goes to the timeline.")


class StageIn(Body):
    """Where it goes in its handling."""

    stage: Stage = Field(description="Where to; 409 names the allowed moves.")


class IncidentFilters(BaseModel):
    """Filters of the incident list, combined by and."""

    model_config = ConfigDict(extra="forbid")

    tenant_id: Identifier | None = Field(None, description="Only of this tenant.")
    client_id: Identifier | None = Field(None, description="Only of this client.")
    model_id: Identifier | None = Field(None, description="Only of this model.")
    attack_class: list[AttackClass] = Field([], max_length=20, description="Any of these.")
    stage: list[Stage] = Field([], max_length=20, description="Any of these.")
    min_severity: Severity | None = Field(None, description="This severity or a higher one.")
    assignee: Identifier | None = Field(None, description="Only what this person works on.")
    acknowledged: bool | None = Field(None, description="Whether somebody has taken notice.")
    opened_from: Time | None = Field(None, description="Event time, RFC 3339, included.")
    opened_before: Time | None = Field(None, description="Event time, not included.")
    after: str | None = Field(None, max_length=512, description="`next_cursor` of a page.")
    limit: int = Field(50, ge=1, le=MAX_PAGE, description="Incidents in a page.")

    def query(self) -> IncidentQuery:
        """Return the same filters as the store's port takes them."""
        sets = {"attack_class": frozenset(self.attack_class), "stage": frozenset(self.stage)}
        return IncidentQuery(**(self.model_dump() | sets))
