"""The body of a notification: the incident in the shape of `replay --json`, and its state."""

from urllib.parse import quote

import msgspec

from detector.delivery.destination import Notification
from detector.incidents.contract import INCIDENT_FIELDS
from detector.incidents.model import Incident

_STATE_FIELDS = (
    "tenant_id",
    "stage",
    "progress",
    "calibrated",
    "assignee",
    "acknowledged_at",
    "acknowledged_by",
    "verdict",
    "version",
)


def body(notification: Notification, public_url: str | None) -> bytes:
    """Return the JSON body: `type`, `timestamp` (of the change) and `data`.

    Args:
        notification: What is told.
        public_url: Where people reach the API, for the links; None leaves them out.
    """
    message = notification.message
    data = _fields(notification.incident) | {"escalation_level": message.level}
    if public_url is not None:
        data["links"] = _links(public_url, notification.incident.incident_id)
    return msgspec.json.encode(
        {"type": message.event, "timestamp": message.created_at, "data": data}
    )


def _fields(incident: Incident) -> dict[str, object]:
    return {name: getattr(incident, name) for name in INCIDENT_FIELDS + _STATE_FIELDS}


def _links(public_url: str, incident_id: str) -> dict[str, str]:
    incident = f"{public_url.rstrip('/')}/api/v1/incidents/{quote(incident_id, safe='')}"
    return {"incident": incident, "timeline": f"{incident}/timeline"}
