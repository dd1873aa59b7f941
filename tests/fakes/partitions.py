"""Partitions and their snapshots in memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from detector.events.record import Partition
from detector.kit.errors import ConflictError, NotFoundError
from detector.pipeline.partitions import (
    Adoption,
    LogGap,
    NewSnapshot,
    Ownership,
    PartitionCounts,
    SnapshotInfo,
)
from tests.fakes.tables import Tables, require_epoch


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
