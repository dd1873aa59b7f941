"""Everything that the store in memory holds."""

from copy import copy
from dataclasses import dataclass, field, fields
from datetime import datetime

from detector.events.model import ClientKey, ModelKey
from detector.events.record import Partition, Position
from detector.incidents.model import Incident, TimelineEntry
from detector.kit.errors import StaleEpochError
from detector.pipeline.dead_letters import StoredDeadLetter
from detector.pipeline.partitions import (
    Adoption,
    LogGap,
    Ownership,
    PartitionCounts,
    SnapshotInfo,
)
from detector.pipeline.ports import (
    ClientProfile,
    OutboxMessage,
    ReferenceInfo,
)


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
    dead_letters: dict[Position, StoredDeadLetter] = field(default_factory=dict)
    profiles: dict[ClientKey, ClientProfile] = field(default_factory=dict)
    references: dict[tuple[ModelKey, int], tuple[ReferenceInfo, bytes]] = field(
        default_factory=dict
    )
    outbox: dict[str, OutboxMessage] = field(default_factory=dict)
    leases: dict[str, datetime] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    served: dict[int, datetime] = field(default_factory=dict)

    def copy(self) -> "Tables":
        return Tables(**{f.name: copy(getattr(self, f.name)) for f in fields(self)})


def require_epoch(tables: Tables, ownership: Ownership) -> Ownership:
    stored = tables.partitions.get(ownership.partition)
    if stored is None or stored.epoch != ownership.epoch:
        raise StaleEpochError(f"{ownership.partition} belongs to another worker")
    return stored
