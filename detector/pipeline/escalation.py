"""Escalation as a use case: incidents that nobody acknowledges in time go a level up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from detector.incidents import acts
from detector.incidents.model import IncidentChange, Severity
from detector.pipeline.outbox import told_from
from detector.pipeline.ports import Transaction, WaitingQuery
from detector.pipeline.triage import notification


@dataclass(frozen=True, slots=True)
class EscalationPolicy:
    """From which severity on, and after how long, the second level is told."""

    min_severity: Severity = Severity.HIGH
    after: timedelta = timedelta(minutes=30)


LEVEL = 2
"""The level that is told when the first one does not acknowledge."""

MOST = 200
"""Incidents that go up at a time; what is left is for the next time."""


def escalate(
    transaction: Transaction, now: datetime, policy: EscalationPolicy
) -> tuple[IncidentChange, ...]:
    """Tell the second level, once an incident, of what has waited too long.

    What was overdue before that level had a destination is not told. The time to acknowledge begins
    at the severity, or the stage, that made the incident matter. Raises `ConflictError` when
    somebody acts on one of them at the same moment; the next round sees what they did.
    """
    overdue = WaitingQuery(
        policy.min_severity,
        since=told_from(transaction, LEVEL, now) - policy.after,
        before=now - policy.after,
        below_level=LEVEL,
        limit=MOST,
    )
    found = transaction.incidents.unacknowledged(overdue)
    changes = tuple(acts.escalate(incident, now, LEVEL) for incident in found)
    for change in changes:
        transaction.incidents.save(change)
    transaction.outbox.put(
        [notification(change.incident, "incident.escalated", LEVEL, now) for change in changes]
    )
    return changes
