"""A `Store` in memory that passes the same conformance suite as the databases."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, fields, replace
from datetime import datetime

from detector.events.model import ClientKey, ModelKey
from detector.events.record import DeadLetter, Partition, Position
from detector.incidents.model import Incident, IncidentChange, Severity, Stage, TimelineEntry
from detector.kit.errors import ConflictError, NotFoundError, StaleEpochError
from detector.pipeline.partitions import (
    Adoption,
    LogGap,
    NewSnapshot,
    Ownership,
    PartitionCounts,
    SnapshotInfo,
)
from detector.pipeline.ports import (
    ClientProfile,
    IncidentQuery,
    OutboxMessage,
    Page,
    ReferenceInfo,
    ReferenceStatus,
)
from detector.storage.cursor import decode_cursor, encode_cursor, require_limit

UNWATCHED = {Stage.SUPPRESSED, Stage.RESOLVED, Stage.CLOSED}


@dataclass
class Tables:
    """Everything stored; a transaction works on a copy that replaces the original on commit."""

    incidents: dict[str, Incident] = field(default_factory=dict)
    entries: dict[str, tuple[TimelineEntry, ...]] = field(default_factory=dict)
    partitions: dict[Partition, Ownership] = field(default_factory=dict)
    counts: dict[Partition, PartitionCounts] = field(default_factory=dict)
    gaps: dict[tuple[Partition, int], LogGap] = field(default_factory=dict)
    snapshots: dict[Partition, tuple[tuple[SnapshotInfo, bytes, tuple[bytes, ...]], ...]] = field(
        default_factory=dict
    )
    adoptions: dict[Partition, frozenset[Adoption]] = field(default_factory=dict)
    dead_letters: dict[Position, DeadLetter] = field(default_factory=dict)
    profiles: dict[ClientKey, ClientProfile] = field(default_factory=dict)
    references: dict[tuple[ModelKey, int], tuple[ReferenceInfo, bytes]] = field(
        default_factory=dict
    )
    outbox: dict[str, OutboxMessage] = field(default_factory=dict)
    leases: dict[str, datetime] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)

    def copy(self) -> "Tables":
        return Tables(**{f.name: copy(getattr(self, f.name)) for f in fields(self)})


class FakeIncidents:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def get(self, incident_id: str) -> Incident | None:
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

    def unacknowledged(
        self, created_before: datetime, min_severity: Severity, below_level: int
    ) -> Iterator[Incident]:
        waiting = [
            incident
            for incident in self._tables.incidents.values()
            if incident.created_at < created_before
            and incident.acknowledged_at is None
            and incident.stage not in UNWATCHED
            and incident.severity.rank >= min_severity.rank
            and incident.escalation_level < below_level
        ]
        yield from sorted(waiting, key=lambda i: (i.created_at, i.incident_id))


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


class FakePartitions:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def claim(self, partition: Partition) -> Ownership:
        stored = self._tables.partitions.get(partition, Ownership(partition, 0, None))
        claimed = replace(stored, epoch=stored.epoch + 1)
        self._tables.partitions[partition] = claimed
        return claimed

    def rewind(self, ownership: Ownership) -> Ownership:
        rewound = replace(require_epoch(self._tables, ownership), next_offset=None)
        self._tables.partitions[ownership.partition] = rewound
        self._tables.counts.pop(ownership.partition, None)
        return rewound

    def advance(
        self, ownership: Ownership, next_offset: int, events: int = 0, rejected: int = 0
    ) -> None:
        partition, stored = ownership.partition, require_epoch(self._tables, ownership)
        self._tables.partitions[partition] = replace(stored, next_offset=next_offset)
        before = self._tables.counts.get(partition, PartitionCounts(0, 0))
        if stored.next_offset != next_offset:
            self._tables.counts[partition] = PartitionCounts(
                before.events + events, before.rejected + rejected
            )

    def counts(self) -> Mapping[Partition, PartitionCounts]:
        none = PartitionCounts(0, 0)
        return {place: self._tables.counts.get(place, none) for place in self._tables.partitions}

    def note_gap(self, gap: LogGap) -> None:
        self._tables.gaps.setdefault((gap.partition, gap.first), gap)

    def gaps(self) -> Sequence[LogGap]:
        return [self._tables.gaps[place] for place in sorted(self._tables.gaps)]

    def positions(self) -> Mapping[Partition, int]:
        return {
            partition: stored.next_offset
            for partition, stored in self._tables.partitions.items()
            if stored.next_offset is not None
        }


def require_epoch(tables: Tables, ownership: Ownership) -> Ownership:
    stored = tables.partitions.get(ownership.partition)
    if stored is None or stored.epoch != ownership.epoch:
        raise StaleEpochError(f"{ownership.partition} belongs to another worker")
    return stored


class FakeSnapshots:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def save(self, ownership: Ownership, snapshot: NewSnapshot) -> SnapshotInfo:
        require_epoch(self._tables, ownership)
        partition = ownership.partition
        chain = self._tables.snapshots.get(partition, ())
        if not chain and not snapshot.whole:
            raise ConflictError("no snapshot")
        before = chain[-1][0] if chain else SnapshotInfo(0, 1, 0, 0, 0, 0)
        parts = tuple(snapshot.parts)
        size, generation = sum(map(len, parts)), before.generation + 1
        if snapshot.whole:
            info = SnapshotInfo(generation, generation, snapshot.offset, size, size, size)
        else:
            info = before._replace(
                generation=generation,
                offset=snapshot.offset,
                size=size,
                chain_size=before.chain_size + size,
            )
        left = tuple(item for item in chain if item[0].generation >= before.base)
        self._tables.snapshots[partition] = (*left, (info, snapshot.header, parts))
        self._tables.adoptions[partition] = frozenset(
            item for item in self._tables.adoptions.get(partition, ()) if item[0] >= before.offset
        )
        return info

    def kept(self, partition: Partition) -> Sequence[SnapshotInfo]:
        return [info for info, _, _ in self._tables.snapshots.get(partition, ())[:-3:-1]]

    def header(self, partition: Partition, generation: int) -> bytes:
        for info, header, _ in self._tables.snapshots.get(partition, ()):
            if info.generation == generation:
                return header
        raise NotFoundError(f"there is no snapshot {generation} of {partition}")

    def parts(self, partition: Partition, info: SnapshotInfo) -> Iterator[bytes]:
        for other, _, parts in self._tables.snapshots.get(partition, ()):
            if info.base <= other.generation <= info.generation:
                yield from parts

    def clear(self, partition: Partition) -> None:
        self._tables.snapshots.pop(partition, None)
        self._tables.adoptions.pop(partition, None)

    def adopt(self, ownership: Ownership, adoption: Adoption) -> None:
        known = self._tables.adoptions.get(ownership.partition, frozenset())
        self._tables.adoptions[ownership.partition] = known | {adoption}

    def adoptions(self, partition: Partition, from_offset: int) -> Sequence[Adoption]:
        known = self._tables.adoptions.get(partition, frozenset())
        return sorted(item for item in known if item.offset >= from_offset)


class FakeDeadLetters:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add(self, letters: Sequence[DeadLetter]) -> None:
        for letter in letters:
            self._tables.dead_letters.setdefault(letter.position, letter)

    def counts(self) -> Mapping[str, int]:
        return Counter(letter.reason for letter in self._tables.dead_letters.values())


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
