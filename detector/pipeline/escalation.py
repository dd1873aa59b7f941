"""Escalation as a use case: incidents that nobody acknowledges in time go a level up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from detector.incidents import acts
from detector.incidents.model import Incident, IncidentChange, Severity
from detector.incidents.waiting import waiting_since
from detector.pipeline.ports import Transaction
from detector.pipeline.triage import notification


@dataclass(frozen=True, slots=True)
class EscalationPolicy:
    """From which severity on, and after how long, the second level is told."""

    min_severity: Severity = Severity.HIGH
    after: timedelta = timedelta(minutes=30)


LEVEL = 2
"""The level that is told when the first one does not acknowledge."""


def escalate(
    transaction: Transaction, now: datetime, policy: EscalationPolicy
) -> tuple[IncidentChange, ...]:
    """Tell the second level, once an incident, of what has waited too long.

    Raises `ConflictError` when somebody acts on one of them at the same moment; the next round
    sees what they did.
    """
    before = now - policy.after
    # None can have waited longer than it exists, so those that are too young fall out at once.
    found = transaction.incidents.unacknowledged(before, policy.min_severity, LEVEL)
    changes = tuple(
        acts.escalate(incident, now, LEVEL)
        for incident in found
        if _since(transaction, incident, policy) < before
    )
    for change in changes:
        transaction.incidents.save(change)
    transaction.outbox.put(
        [notification(change.incident, "incident.escalated", LEVEL, now) for change in changes]
    )
    return changes


def _since(transaction: Transaction, incident: Incident, policy: EscalationPolicy) -> datetime:
    """When the time to acknowledge began: at the severity, or the stage, that made it matter."""
    since = waiting_since(transaction.incidents.timeline(incident.incident_id), policy.min_severity)
    # A timeline that tells otherwise than its incident must not keep people from being told.
    return incident.created_at if since is None else since
