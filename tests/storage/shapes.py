"""One of each stored shape, with awkward content."""

from datetime import UTC, datetime, timedelta, timezone

from detector.events.model import ClientKey, ModelKey
from detector.events.record import DeadLetter, Position
from detector.incidents.aggregate import IncidentPolicy, open_incident
from detector.incidents.model import IncidentChange
from detector.pipeline.ports import ClientProfile, OutboxMessage, ReferenceInfo, ReferenceStatus
from tests.incidents.findings import finding

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ABROAD = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
AWKWARD = "Łódź '\"; DROP TABLE incidents; -- \U0001f511\u2028\t%s" + "x" * 200
MODEL = ModelKey("acme", "churn")


def opened(query: int = 100, client_id: str = "mallory", **values: object) -> IncidentChange:
    """A new incident of a client."""
    client = ClientKey("acme", "churn", client_id)
    return open_incident(finding(query, client=client, **values), IncidentPolicy(), NOW)


def profile(client_id: str = AWKWARD, queries: int = 7) -> ClientProfile:
    client = ClientKey("acme", "churn", client_id)
    return ClientProfile(
        client, NOW, NOW, queries, "ip", "learning", {"entropy": 0.1 + 0.2}, {"novelty": 1e-300}
    )


def reference(digest: str, status: ReferenceStatus = ReferenceStatus.ACTIVE) -> ReferenceInfo:
    summary: dict[str, str | int | float | bool] = {
        "note": AWKWARD,
        "rows": 12,
        "share": 0.25,
        "exact": True,
    }
    return ReferenceInfo(MODEL, 99, status, NOW, 1000, 20, "build", digest, summary)


def letter(offset: int, reason: str = "missing_field", partition: int = 0) -> DeadLetter:
    position = Position("predictions", partition, offset)
    headers = (("ce_id", b"\x00\xff"), ("ce_id", b""), (AWKWARD, b"1"))
    return DeadLetter(
        position, reason, "$.client_id", AWKWARD, b"\x00\xff", 2**40, b"\xfe", headers, 2**41
    )


def message(incident_id: str, name: str, due_at: datetime = NOW, level: int = 1) -> OutboxMessage:
    return OutboxMessage(name, incident_id, "incident.opened", level, NOW, 0, due_at)
