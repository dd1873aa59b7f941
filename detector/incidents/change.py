"""Making one act on an incident into a change: new version, timeline entries, chain head."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from detector.incidents.model import Incident, IncidentChange
from detector.incidents.timeline import Note, seal
from detector.incidents.waiting import waiting


def change(
    incident: Incident,
    at: datetime,
    notes: Sequence[Note],
    **values: Any,
) -> IncidentChange:
    """Return the incident with new field values after an act at `at` that the notes tell of."""
    changed = replace(incident, version=incident.version + 1, updated_at=at, **values)
    return _sealed(changed, at, notes, previous_version=incident.version)


def creation(incident: Incident, notes: Sequence[Note]) -> IncidentChange:
    """Return a new incident with its first timeline entries."""
    return _sealed(incident, incident.created_at, notes, previous_version=0)


def combine(first: IncidentChange, second: IncidentChange) -> IncidentChange:
    """Return both changes of one incident as one; `second` was made from what `first` left."""
    entries = first.entries + second.entries
    return IncidentChange(second.incident, entries, first.previous_version)


def _sealed(
    incident: Incident, at: datetime, notes: Sequence[Note], previous_version: int
) -> IncidentChange:
    entries = seal(
        incident.incident_id, notes, at, incident.timeline_length, incident.timeline_head
    )
    head = entries[-1].entry_hash if entries else incident.timeline_head
    length = incident.timeline_length + len(entries)
    sealed = replace(
        incident,
        timeline_length=length,
        timeline_head=head,
        waiting=waiting(incident.waiting, incident.severity, incident.stage, at),
    )
    return IncidentChange(sealed, entries, previous_version)
