"""One `…_to_row` and `…_from_row` pair for every shape that is stored."""

import math
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping

from detector.events.model import ClientKey, ModelKey
from detector.events.record import DeadLetter, Position
from detector.incidents.identity import client_key
from detector.incidents.model import (
    Incident,
    Severity,
    SeverityFactor,
    Stage,
    TechniqueMark,
    TimelineEntry,
    TimelineKind,
    Verdict,
)
from detector.pipeline.dead_letters import Fate, Settlement, StoredDeadLetter
from detector.pipeline.ports import ClientProfile, OutboxMessage, ReferenceInfo, ReferenceStatus
from detector.scoring.finding import AttackClass, Evidence, LogRange

Row = dict[str, Any]
_PLAIN = ("reason", "path", "detail", "body", "size", "key", "timestamp_ms")
"""Columns of `dead_letters` that are stored as they are."""


def incident_to_row(incident: Incident) -> Row:
    """Columns of `incidents`; the columns have the fields' names."""
    row = {field.name: getattr(incident, field.name) for field in fields(incident)}
    for name in ("attack_class", "stage", "severity", "computed_severity"):
        row[name] = str(row[name])
    for name in ("severity_override", "verdict"):
        row[name] = None if row[name] is None else str(row[name])
    for name in ("severity_breakdown", "evidence", "marks"):
        row[name] = [asdict(item) for item in row[name]]
    for name in ("techniques", "atlas"):
        row[name] = list(row[name])
    waiting = {str(severity): instant(since) for severity, since in incident.waiting.items()}
    return row | {"features": dict(incident.features), "waiting": waiting}


def instant(time: datetime) -> str:
    """A time in a JSON column: UTC and of one length, so that texts compare as times do."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def incident_from_row(row: RowMapping) -> Incident:
    """The incident of a row."""
    override, verdict = row["severity_override"], row["verdict"]
    converted = {
        "attack_class": AttackClass(row["attack_class"]),
        "stage": Stage(row["stage"]),
        "severity": Severity(row["severity"]),
        "computed_severity": Severity(row["computed_severity"]),
        "severity_override": None if override is None else Severity(override),
        "verdict": None if verdict is None else Verdict(verdict),
        "severity_breakdown": tuple(SeverityFactor(**f) for f in row["severity_breakdown"]),
        "evidence": tuple(_evidence(item) for item in row["evidence"]),
        "marks": tuple(_mark(item) for item in row["marks"]),
        "waiting": {Severity(s): datetime.fromisoformat(t) for s, t in row["waiting"].items()},
        "techniques": tuple(row["techniques"]),
        "atlas": tuple(row["atlas"]),
    }
    return Incident(**{**row, **converted})


def _evidence(item: Mapping[str, Any]) -> Evidence:
    ranges = tuple(LogRange(**stretch) for stretch in item["ranges"])
    return Evidence(item["kind"], item["statement"], item["numbers"], ranges)


def _mark(item: Mapping[str, Any]) -> TechniqueMark:
    ids = item.get("atlas")
    return TechniqueMark(**{**item, "atlas": None if ids is None else tuple(ids)})


def entry_to_row(entry: TimelineEntry) -> Row:
    """Columns of `timeline`."""
    row = {field.name: getattr(entry, field.name) for field in fields(entry)}
    return row | {"kind": str(entry.kind), "data": dict(entry.data)}


def entry_from_row(row: RowMapping) -> TimelineEntry:
    """The timeline entry of a row."""
    return TimelineEntry(**{**row, "kind": TimelineKind(row["kind"])})


def profile_to_row(profile: ClientProfile) -> Row:
    """Columns of `clients`; a feature without a finite value is left out."""
    return {
        "client_key": client_key(profile.client),
        **profile.client._asdict(),
        "first_seen": profile.first_seen,
        "last_seen": profile.last_seen,
        "queries": profile.queries,
        "identity_source": profile.identity_source,
        "status": profile.status,
        "features": _finite(profile.features),
        "scores": _finite(profile.scores),
    }


def profile_from_row(row: RowMapping) -> ClientProfile:
    """The client's profile of a row."""
    return ClientProfile(
        client=ClientKey(row["tenant_id"], row["model_id"], row["client_id"]),
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        queries=row["queries"],
        identity_source=row["identity_source"],
        status=row["status"],
        features=row["features"],
        scores=row["scores"],
    )


def reference_to_row(info: ReferenceInfo, body: bytes) -> Row:
    """Columns of `model_references`."""
    return {
        **info.model._asdict(),
        "version": info.version,
        "status": str(info.status),
        "created_at": info.created_at,
        "events": info.events,
        "clients": info.clients,
        "origin": info.origin,
        "digest": info.digest,
        "summary": dict(info.summary),
        "body": body,
    }


def reference_from_row(row: RowMapping) -> ReferenceInfo:
    """The reference of a row, without its body."""
    return ReferenceInfo(
        model=ModelKey(row["tenant_id"], row["model_id"]),
        version=row["version"],
        status=ReferenceStatus(row["status"]),
        created_at=row["created_at"],
        events=row["events"],
        clients=row["clients"],
        origin=row["origin"],
        digest=row["digest"],
        summary=row["summary"],
    )


def message_to_row(message: OutboxMessage) -> Row:
    """Columns of `outbox` that a new message sets."""
    return {field.name: getattr(message, field.name) for field in fields(message)}


def message_from_row(row: RowMapping) -> OutboxMessage:
    """The outbox message of a row."""
    return OutboxMessage(**{field.name: row[field.name] for field in fields(OutboxMessage)})


def dead_letter_to_row(letter: DeadLetter, received_at: datetime) -> Row:
    """Columns of `dead_letters` that a new dead letter sets; headers' values are Base64."""
    row = {field.name: getattr(letter, field.name) for field in fields(letter)}
    position: Position = row.pop("position")
    unsettled = dict.fromkeys(("settlement", "settled_at", "settled_by", "settlement_note"))
    row |= position._asdict() | unsettled
    return row | {"headers": _packed(letter), "received_at": received_at}


def dead_letter_from_row(row: RowMapping) -> StoredDeadLetter:
    """The dead letter of a row."""
    settlement = None
    if row["settled_at"] is not None:
        settlement = Settlement(
            Fate(row["settlement"]), row["settled_at"], row["settled_by"], row["settlement_note"]
        )
    headers = row["headers"]
    letter = DeadLetter(
        position=Position(row["topic"], row["partition"], row["offset"]),
        headers=None if headers is None else tuple((n, b64decode(v)) for n, v in headers),
        **{name: row[name] for name in _PLAIN},
    )
    return StoredDeadLetter(letter, row["received_at"], settlement)


def _packed(letter: DeadLetter) -> list[list[str]] | None:
    if letter.headers is None:
        return None
    return [[name, b64encode(value).decode()] for name, value in letter.headers]


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    if all(map(math.isfinite, numbers.values())):  # as nearly always, and a fifth of the time
        return dict(numbers)
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
