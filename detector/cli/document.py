"""The JSON that `replay --json` and `incidents export` print; its shape is a contract."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from detector.incidents.contract import INCIDENT_FIELDS
from detector.incidents.model import Incident

if TYPE_CHECKING:
    from detector.stream.stats import Stats


def incident_document(incident: Incident) -> dict[str, Any]:
    """One incident in plain JSON values; times are RFC 3339 in UTC."""
    document: dict[str, Any] = msgspec.to_builtins(
        {name: getattr(incident, name) for name in INCIDENT_FIELDS}
    )
    return document


def incidents_document(incidents: Iterable[Incident]) -> list[dict[str, Any]]:
    """The list that both commands share."""
    return [incident_document(incident) for incident in incidents]


def replay_document(stats: "Stats", incidents: Iterable[Incident]) -> dict[str, Any]:
    """What a replay read and found."""
    return {
        "events": stats.events,
        "rejected": dict(sorted(stats.rejected.items())),
        "clients": stats.clients,
        "seconds": round(stats.seconds, 3),
        "events_per_second": round(stats.events / stats.seconds, 1) if stats.seconds else 0.0,
        "incidents": incidents_document(incidents),
    }


def to_json(document: object) -> bytes:
    """Indented JSON with a final newline."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
