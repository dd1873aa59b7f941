"""The JSON that `replay --json` and `incidents export` print; its shape is a contract."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from detector.cli.log_notes import LogNotes
from detector.incidents.contract import INCIDENT_FIELDS
from detector.incidents.model import Incident
from detector.kit.errors import ConfigurationError

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


def replay_document(
    stats: "Stats", incidents: Iterable[Incident], notes: LogNotes | None = None
) -> dict[str, Any]:
    """What a replay read and found, and with `notes` what it could not judge or look at."""
    notes = notes or LogNotes()
    learning = [
        {**item.model._asdict(), "events": item.events, "clients": item.clients}
        for item in notes.learning()
    ]
    return {
        "events": stats.events,
        "rejected": dict(sorted(stats.rejected.items())),
        "unknown_fields": dict(sorted(notes.unknown.items())),
        "learning": learning,
        "clients": stats.clients,
        "seconds": round(stats.seconds, 3),
        "events_per_second": round(stats.events / stats.seconds, 1) if stats.seconds else 0.0,
        "incidents": incidents_document(incidents),
    }


def require_target(option: str, target: str | Path | None, *, make_folder: bool = False) -> None:
    """Refuse, before the work, what could not be written after it; - is standard output.

    Raises `ConfigurationError`, which names the option and the file.
    """
    if target is None or str(target) == "-":
        return
    path = Path(target)
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{option}: {target}: {error.strerror}") from error
    if not path.parent.is_dir():
        raise ConfigurationError(f"{option}: {target}: there is no folder {path.parent}")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigurationError(f"{option}: {target}: cannot be written")


def to_json(document: object) -> bytes:
    """Indented JSON with a final newline."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
