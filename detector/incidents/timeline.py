"""The hash-chained timeline: sealing entries and checking a chain."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from detector.incidents.model import GENESIS_HASH, TimelineEntry, TimelineKind
from detector.scoring.finding import Scalar

MACHINE = "querywatch"
"""The actor of everything that no person did."""


@dataclass(frozen=True, slots=True)
class Note:
    """What an entry will say, before it has a place in the chain."""

    kind: TimelineKind
    summary: str
    data: Mapping[str, Scalar | None] = field(default_factory=dict)
    actor: str = MACHINE


def seal(
    incident_id: str, notes: Sequence[Note], at: datetime, length: int, head: str
) -> tuple[TimelineEntry, ...]:
    """Chain notes to a timeline that has `length` entries and ends in the hash `head`."""
    entries = []
    for sequence, note in enumerate(notes, start=length + 1):
        entry = _entry(incident_id, sequence, note, at, head)
        entries.append(entry)
        head = entry.entry_hash
    return tuple(entries)


def verify_timeline(entries: Sequence[TimelineEntry], head: str | None = None) -> int | None:
    """Return None when the chain holds, else the sequence number of the first place that fails.

    Args:
        entries: A whole timeline, in order.
        head: The incident's `timeline_head`; given, entries missing at the end show too.
    """
    previous = GENESIS_HASH
    for sequence, entry in enumerate(entries, start=1):
        chained = entry.sequence == sequence and entry.previous_hash == previous
        if not chained or entry.entry_hash != _digest(entry):
            return sequence
        previous = entry.entry_hash
    return None if head in (None, previous) else len(entries) + 1


def _entry(
    incident_id: str, sequence: int, note: Note, at: datetime, previous_hash: str
) -> TimelineEntry:
    unsealed = TimelineEntry(
        incident_id=incident_id,
        sequence=sequence,
        at=at,
        actor=note.actor,
        kind=note.kind,
        summary=note.summary,
        data=dict(note.data),
        previous_hash=previous_hash,
        entry_hash="",
    )
    return replace(unsealed, entry_hash=_digest(unsealed))


def _digest(entry: TimelineEntry) -> str:
    """SHA-256 over the previous hash and the entry's canonical JSON (sorted, ASCII, no spaces)."""
    content = {
        "incident_id": entry.incident_id,
        "sequence": entry.sequence,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "kind": entry.kind,
        "summary": entry.summary,
        "data": dict(entry.data),
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(f"{entry.previous_hash}{canonical}".encode()).hexdigest()
