"""A `Store` in memory that passes the same conformance suite as the databases."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from detector.events.model import ClientKey, ModelKey
from detector.incidents.model import Incident, IncidentChange, TimelineEntry
from detector.kit.errors import ConflictError, NotFoundError
from detector.pipeline.ports import (
    ClientProfile,
    IncidentQuery,
    OutboxMessage,
    Page,
    ReferenceInfo,
    ReferenceStatus,
    WaitingQuery,
)
from detector.storage.cursor import decode_cursor, encode_cursor, require_limit
from tests.fakes.dead_letters import FakeDeadLetters
from tests.fakes.partitions import FakePartitions, FakeSnapshots
from tests.fakes.tables import Tables


class FakeIncidents:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def get(self, incident_id: str, *, hold: bool = False) -> Incident | None:
        return self._tables.incidents.get(incident_id)

    def for_client(self, client: ClientKey) -> Sequence[Incident]:
        return sorted(
            (
                incident
                for incident in self._tables.incidents.values()
                if (incident.tenant_id, incident.model_id, incident.client_id) == client
            ),
            key=lambda incident: (incident.opened_at, incident.incident_id),
        )

    def save(self, change: IncidentChange) -> None:
        incident = change.incident
        stored = self._tables.incidents.get(incident.incident_id)
        if (stored.version if stored else 0) != change.previous_version:
            raise ConflictError(f"incident {incident.incident_id} was changed by somebody else")
        if incident.is_open and any(
            other.is_open
            and other.dedup_key == incident.dedup_key
            and other.incident_id != incident.incident_id
            for other in self._tables.incidents.values()
        ):
            raise ConflictError("the client already has an open incident of this class")
        self._tables.incidents[incident.incident_id] = incident
        entries = self._tables.entries.get(incident.incident_id, ())
        self._tables.entries[incident.incident_id] = entries + change.entries

    def list(self, query: IncidentQuery) -> Page[Incident]:
        require_limit(query.limit)
        found = self._matching(query)
        if query.after is not None:
            place = decode_cursor(query.after)
            found = [i for i in found if (i.opened_at, i.incident_id) < place]
        items = tuple(found[: query.limit])
        return Page(items, encode_cursor(items[-1]) if len(found) > query.limit else None)

    def count(self, query: IncidentQuery) -> int:
        return len(self._matching(query))

    def _matching(self, query: IncidentQuery) -> Sequence[Incident]:
        found = [i for i in self._tables.incidents.values() if _matches(i, query)]
        return sorted(found, key=lambda i: (i.opened_at, i.incident_id), reverse=True)

    def timeline(self, incident_id: str) -> Sequence[TimelineEntry]:
        return self._tables.entries.get(incident_id, ())

    def unacknowledged(self, query: WaitingQuery) -> Sequence[Incident]:
        waiting = [
            incident
            for incident in self._tables.incidents.values()
            if incident.acknowledged_at is None
            and incident.escalation_level < query.below_level
            and query.min_severity in incident.waiting
            and query.since <= incident.waiting[query.min_severity] < query.before
        ]
        return sorted(waiting, key=lambda i: (i.created_at, i.incident_id))[: query.limit]


def _matches(incident: Incident, query: IncidentQuery) -> bool:
    exact = all(
        wanted is None or getattr(incident, name) == wanted
        for name, wanted in {
            "tenant_id": query.tenant_id,
            "client_id": query.client_id,
            "model_id": query.model_id,
            "assignee": query.assignee,
        }.items()
    )
    acknowledged = incident.acknowledged_at is not None
    return (
        exact
        and (not query.attack_class or incident.attack_class in query.attack_class)
        and (not query.stage or incident.stage in query.stage)
        and (query.min_severity is None or incident.severity.rank >= query.min_severity.rank)
        and (query.acknowledged is None or acknowledged == query.acknowledged)
        and (query.opened_from is None or incident.opened_at >= query.opened_from)
        and (query.opened_before is None or incident.opened_at < query.opened_before)
    )


class FakeClients:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def put(self, profiles: Sequence[ClientProfile]) -> None:
        self._tables.profiles.update({profile.client: profile for profile in profiles})

    def get(self, client: ClientKey) -> ClientProfile | None:
        return self._tables.profiles.get(client)


class FakeReferences:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add(self, info: ReferenceInfo, body: bytes) -> ReferenceInfo:
        known = self.list(info.model)
        active = next((k for k in known if k.status is ReferenceStatus.ACTIVE), None)
        if active is not None and active.digest == info.digest:
            return active
        stored = replace(info, version=max((k.version for k in known), default=0) + 1)
        if stored.status is ReferenceStatus.ACTIVE:
            self._deactivate(info.model)
        self._tables.references[(info.model, stored.version)] = (stored, body)
        return stored

    def activate(self, model: ModelKey, version: int) -> ReferenceInfo:
        if (model, version) not in self._tables.references:
            raise NotFoundError(f"model {model.model_id} has no reference version {version}")
        self._deactivate(model)
        info, body = self._tables.references[(model, version)]
        active = replace(info, status=ReferenceStatus.ACTIVE)
        self._tables.references[(model, version)] = (active, body)
        return active

    def list(self, model: ModelKey | None = None) -> Sequence[ReferenceInfo]:
        found = [i for i, _ in self._tables.references.values() if model in (None, i.model)]
        return sorted(found, key=lambda i: (*i.model, -i.version))

    def body(self, model: ModelKey, version: int | None = None) -> bytes | None:
        for info in self.list(model):
            active = info.status is ReferenceStatus.ACTIVE
            if info.version == version or (version is None and active):
                return self._tables.references[(model, info.version)][1]
        return None

    def find(self, model: ModelKey, digest: str) -> bytes | None:
        for info in self.list(model):
            if info.digest == digest:
                return self._tables.references[(model, info.version)][1]
        return None

    def _deactivate(self, model: ModelKey) -> None:
        for info in self.list(model):
            body = self._tables.references[(model, info.version)][1]
            inactive = replace(info, status=ReferenceStatus.INACTIVE)
            self._tables.references[(model, info.version)] = (inactive, body)


class FakeOutbox:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def put(self, messages: Sequence[OutboxMessage]) -> None:
        for message in messages:
            self._tables.outbox.setdefault(message.message_id, message)

    def lease(
        self, now: datetime, until: datetime, limit: int, level: int
    ) -> Sequence[OutboxMessage]:
        free = [
            message
            for message_id, message in self._tables.outbox.items()
            if message_id not in self._tables.finished
            and message.level == level
            and message.due_at <= now
            and self._tables.leases.get(message_id, now) <= now
        ]
        taken = sorted(free, key=lambda m: (m.due_at, m.message_id))[:limit]
        self._tables.leases.update({message.message_id: until for message in taken})
        return taken

    def delivered(self, message_id: str, at: datetime) -> None:
        self._attempt(message_id)
        self._tables.finished.add(message_id)

    def retry(self, message_id: str, due_at: datetime, error: str) -> None:
        self._attempt(message_id, due_at)
        self._tables.leases.pop(message_id, None)

    def give_up(self, message_id: str, at: datetime, error: str) -> None:
        self._attempt(message_id)
        self._tables.finished.add(message_id)

    def pending(self) -> int:
        return len(self._tables.outbox) - len(self._tables.finished)

    def serve(self, level: int, at: datetime) -> datetime:
        return self._tables.served.setdefault(level, at)

    def expire(self, level: int, before: datetime, at: datetime, reason: str) -> int:
        old = {
            message_id
            for message_id, message in self._tables.outbox.items()
            if message_id not in self._tables.finished
            and message.level == level
            and message.created_at < before
            and self._tables.leases.get(message_id, at) <= at
        }
        self._tables.finished |= old
        return len(old)

    def _attempt(self, message_id: str, due_at: datetime | None = None) -> None:
        message = self._tables.outbox[message_id]
        self._tables.outbox[message_id] = replace(
            message, attempts=message.attempts + 1, due_at=due_at or message.due_at
        )


class FakeTransaction:
    def __init__(self, tables: Tables) -> None:
        self.incidents = FakeIncidents(tables)
        self.partitions = FakePartitions(tables)
        self.dead_letters = FakeDeadLetters(tables)
        self.clients = FakeClients(tables)
        self.references = FakeReferences(tables)
        self.outbox = FakeOutbox(tables)
        self.snapshots = FakeSnapshots(tables)


class FakeStore:
    """One transaction at a time; `failure`, when set, is raised once instead of the next one."""

    def __init__(self) -> None:
        self.tables = Tables()
        self.failure: Exception | None = None
        self._lock = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[FakeTransaction]:
        with self._lock:
            if self.failure is not None:
                failure, self.failure = self.failure, None
                raise failure
            working = self.tables.copy()
            yield FakeTransaction(working)
            self.tables = working

    def ready(self) -> None:
        """A fake is always ready."""

    def close(self) -> None:
        """A fake holds no connections."""
