"""Since when an incident has waited for somebody, as its timeline tells."""

from collections.abc import Sequence
from datetime import datetime

from detector.incidents.model import Severity, Stage, TimelineEntry, TimelineKind

UNWATCHED = (Stage.SUPPRESSED, Stage.RESOLVED, Stage.CLOSED)
"""Stages in which nobody need look at an incident."""


def waiting_since(entries: Sequence[TimelineEntry], min_severity: Severity) -> datetime | None:
    """Return since when an incident has been in force at that severity or above, and watched.

    None when its timeline ends below it, or in a stage in which nobody need look.
    """
    severity, stage, since = Severity.INFO, Stage.NEW, None
    for entry in entries:
        severity = _severity(entry, severity)
        stage = _stage(entry, stage)
        if severity.rank < min_severity.rank or stage in UNWATCHED:
            since = None
        elif since is None:
            since = entry.at
    return since


def _severity(entry: TimelineEntry, before: Severity) -> Severity:
    if entry.kind is TimelineKind.OPENED:
        return Severity(str(entry.data["severity"]))
    if entry.kind is TimelineKind.SEVERITY:
        # Where the computed one moves, an analyst's may stay in force.
        return Severity(str(entry.data.get("in_force", entry.data["to"])))
    return before


def _stage(entry: TimelineEntry, before: Stage) -> Stage:
    if entry.kind is TimelineKind.CLOSED:
        return Stage.CLOSED
    if entry.kind is TimelineKind.STAGE:
        # Reopening has one place to lead to and does not name it.
        return Stage(str(entry.data.get("to", Stage.REOPENED)))
    return before
