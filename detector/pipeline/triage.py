"""Triage as a use case: findings in, incident changes and notifications stored."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from detector.events.model import ClientKey
from detector.incidents.aggregate import IncidentPolicy
from detector.incidents.change import combine
from detector.incidents.correlate import absorb
from detector.incidents.identity import stable_id
from detector.incidents.model import Incident, IncidentChange, Severity, Stage
from detector.kit.clock import Clock
from detector.kit.errors import ConflictError, RecoverableError
from detector.pipeline.ports import OutboxMessage, Transaction
from detector.scoring.finding import Finding


@dataclass(frozen=True, slots=True)
class TriagePolicy:
    """How findings become incidents, and from which severity on somebody is told."""

    incidents: IncidentPolicy = field(default_factory=IncidentPolicy)
    notify_from: Severity = Severity.MEDIUM


class Triage:
    """Applies findings within the transaction that also stores their position."""

    def __init__(self, policy: TriagePolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock

    def apply(
        self, transaction: Transaction, findings: Sequence[Finding]
    ) -> tuple[IncidentChange, ...]:
        """Apply findings in order and return one change for each incident touched.

        Findings that were applied before change nothing. Raises `RecoverableError` when another
        worker changed the same client's incidents meanwhile.
        """
        now = self._clock.now()
        batch = _Batch()
        for finding in findings:
            known = batch.incidents(transaction, finding.client)
            for change in absorb(known, finding, self._policy.incidents, now):
                self._notify(batch, known, change, now)
                batch.take(finding.client, change)
        changes = tuple(batch.changes.values())
        _save(transaction, changes)
        transaction.outbox.put(batch.messages)
        return changes

    def _notify(
        self, batch: "_Batch", known: Sequence[Incident], change: IncidentChange, now: datetime
    ) -> None:
        after = change.incident
        if after.severity.rank < self._policy.notify_from.rank or after.stage in _SILENT:
            return
        before = next((i for i in known if i.incident_id == after.incident_id), None)
        if before is None:
            batch.messages.append(notification(after, "incident.opened", 1, now))
        elif after.severity.rank > before.severity.rank:
            batch.messages.append(notification(after, "incident.severity_raised", 1, now))


_SILENT = (Stage.SUPPRESSED, Stage.CLOSED)


class _Batch:
    """The clients' incidents as they stand in the middle of a batch, and what changed so far."""

    def __init__(self) -> None:
        self.changes: dict[str, IncidentChange] = {}
        self.messages: list[OutboxMessage] = []
        self._clients: dict[ClientKey, dict[str, Incident]] = {}

    def incidents(self, transaction: Transaction, client: ClientKey) -> tuple[Incident, ...]:
        """All incidents of the client, oldest first; read once a batch."""
        if client not in self._clients:
            stored = transaction.incidents.for_client(client)
            self._clients[client] = {incident.incident_id: incident for incident in stored}
        return tuple(self._clients[client].values())

    def take(self, client: ClientKey, change: IncidentChange) -> None:
        """Let a change stand, together with earlier ones of the same incident."""
        key = change.incident.incident_id
        earlier = self.changes.get(key)
        self.changes[key] = combine(earlier, change) if earlier else change
        self._clients[client][key] = change.incident


def notification(incident: Incident, event: str, level: int, now: datetime) -> OutboxMessage:
    """Return a message about an incident; its id is the same whenever the same thing happened."""
    return OutboxMessage(
        message_id=stable_id(event, incident.incident_id, level, str(incident.severity)),
        incident_id=incident.incident_id,
        event=event,
        level=level,
        created_at=now,
        attempts=0,
        due_at=now,
    )


def _save(transaction: Transaction, changes: Sequence[IncidentChange]) -> None:
    try:
        for change in changes:
            transaction.incidents.save(change)
    except ConflictError as error:
        raise RecoverableError(f"another worker changed an incident meanwhile: {error}") from error
