"""The opaque cursor of a keyset-paginated listing."""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import NamedTuple

from detector.incidents.model import Incident
from detector.kit.errors import ConfigurationError

MAX_PAGE = 500
"""The most incidents a page may hold."""

_MAX_LENGTH = 256


class Keyset(NamedTuple):
    """The place in the listing after which the next page begins."""

    opened_at: datetime
    incident_id: str


def encode_cursor(incident: Incident) -> str:
    """Return the cursor of the page that follows this incident."""
    opened_at = incident.opened_at.astimezone(UTC).isoformat()
    content = json.dumps([opened_at, incident.incident_id])
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> Keyset:
    """Return the place a cursor stands for; raises `ConfigurationError` when it is none of ours."""
    if len(cursor) > _MAX_LENGTH:
        raise ConfigurationError("cursor: not one that an earlier page returned (too long)")
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        opened_at, incident_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        moment = datetime.fromisoformat(opened_at)
        if moment.tzinfo is None or not isinstance(incident_id, str):
            raise ValueError("not a time and an id")
        if not (incident_id.isascii() and incident_id.isprintable()):
            raise ValueError("no database can look for such an id")
        return Keyset(moment.astimezone(UTC), incident_id)
    except (binascii.Error, ValueError, TypeError, OverflowError) as error:
        raise ConfigurationError("cursor: not one that an earlier page returned") from error


def require_limit(limit: int) -> None:
    """Raise `ConfigurationError` unless a page may have that many items."""
    if not 1 <= limit <= MAX_PAGE:
        raise ConfigurationError(f"limit: must be between 1 and {MAX_PAGE}, is {limit}")
