"""What people, and the clock, do to an incident: pure functions from incident to change."""

from datetime import datetime

from detector.incidents.change import change
from detector.incidents.model import (
    Incident,
    IncidentChange,
    Severity,
    Stage,
    TimelineKind,
    Verdict,
)
from detector.incidents.timeline import Note
from detector.incidents.transitions import require_move
from detector.kit.errors import ConfigurationError, ConflictError

MAX_COMMENT = 10_000
"""Characters."""


def acknowledge(
    incident: Incident, actor: str, at: datetime, assignee: str | None = None
) -> IncidentChange:
    """Say that somebody looks after it; assigns the actor unless told otherwise."""
    if not incident.is_open:
        raise ConflictError("a closed incident cannot be acknowledged; reopen it first")
    if incident.acknowledged_by is not None:
        raise ConflictError(
            f"already acknowledged by {incident.acknowledged_by}; assign it instead"
        )
    owner = assignee or actor
    note = Note(
        TimelineKind.ACKNOWLEDGED,
        f"acknowledged by {actor}, assigned to {owner}",
        {"assignee": owner},
        actor,
    )
    return change(incident, at, [note], assignee=owner, acknowledged_at=at, acknowledged_by=actor)


def assign(incident: Incident, actor: str, at: datetime, assignee: str | None) -> IncidentChange:
    """Hand it to somebody, or to nobody with None."""
    summary = f"assigned to {assignee}" if assignee else "assigned to nobody"
    data = {"from": incident.assignee, "to": assignee}
    return change(
        incident, at, [Note(TimelineKind.ASSIGNED, summary, data, actor)], assignee=assignee
    )


def comment(incident: Incident, actor: str, at: datetime, text: str) -> IncidentChange:
    """Add a remark to the timeline."""
    _require_text("text", text)
    return change(incident, at, [Note(TimelineKind.COMMENTED, text, {}, actor)])


def move(incident: Incident, actor: str, at: datetime, stage: Stage) -> IncidentChange:
    """Move along the state machine; closing and reopening have acts of their own."""
    if stage is Stage.CLOSED:
        raise ConflictError("closing needs a verdict; close the incident instead of moving it")
    if stage is Stage.REOPENED:
        return reopen(incident, actor, at)
    require_move(incident.stage, stage)
    summary = f"moved from {incident.stage} to {stage}"
    data = {"from": str(incident.stage), "to": str(stage)}
    return change(incident, at, [Note(TimelineKind.STAGE, summary, data, actor)], stage=stage)


def close(
    incident: Incident, actor: str, at: datetime, verdict: Verdict, text: str | None = None
) -> IncidentChange:
    """Close with a conclusion and, if given, a remark."""
    require_move(incident.stage, Stage.CLOSED)
    if text is not None:
        _require_text("text", text)
    summary = f"closed as {verdict}" + (f": {text}" if text else "")
    data = {"from": str(incident.stage), "verdict": str(verdict)}
    return change(
        incident,
        at,
        [Note(TimelineKind.CLOSED, summary, data, actor)],
        stage=Stage.CLOSED,
        verdict=verdict,
        closed_at=at,
    )


def reopen(incident: Incident, actor: str, at: datetime) -> IncidentChange:
    """Take up a resolved or closed incident again.

    The actor stands for an acknowledgement where there was none: somebody is at it.
    """
    require_move(incident.stage, Stage.REOPENED)
    data = {"from": str(incident.stage), "verdict": incident.verdict and str(incident.verdict)}
    return change(
        incident,
        at,
        [Note(TimelineKind.STAGE, f"reopened by {actor}", data, actor)],
        stage=Stage.REOPENED,
        verdict=None,
        closed_at=None,
        assignee=incident.assignee or actor,
        acknowledged_at=incident.acknowledged_at or at,
        acknowledged_by=incident.acknowledged_by or actor,
    )


def override_severity(
    incident: Incident, actor: str, at: datetime, severity: Severity | None
) -> IncidentChange:
    """Set the severity by hand, or go back to the computed one with None."""
    in_force = severity or incident.computed_severity
    computed = incident.computed_severity
    summary = f"severity set from {incident.severity} to {in_force} (computed: {computed})"
    data = {"from": str(incident.severity), "to": str(in_force), "computed": str(computed)}
    return change(
        incident,
        at,
        [Note(TimelineKind.SEVERITY, summary, data, actor)],
        severity=in_force,
        severity_override=severity,
    )


def escalate(incident: Incident, at: datetime, level: int) -> IncidentChange:
    """Record that people of a higher level are told, because nobody has acknowledged it."""
    note = Note(
        TimelineKind.ESCALATED, f"nobody acknowledged: escalated to level {level}", {"level": level}
    )
    return change(incident, at, [note], escalation_level=level)


def _require_text(name: str, text: str) -> None:
    if not text.strip() or len(text) > MAX_COMMENT or "\0" in text:
        raise ConfigurationError(f"{name}: must hold 1 to {MAX_COMMENT} characters and no NUL")
