"""Escalation as a use case: incidents that nobody acknowledges in time go a level up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from detector.incidents import acts
from detector.incidents.model import IncidentChange, Severity
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
    waiting = transaction.incidents.unacknowledged(now - policy.after, policy.min_severity, LEVEL)
    changes = tuple(acts.escalate(incident, now, LEVEL) for incident in waiting)
    for change in changes:
        transaction.incidents.save(change)
    transaction.outbox.put(
        [notification(change.incident, "incident.escalated", LEVEL, now) for change in changes]
    )
    return changes
