"""A `Processor` that keeps what it was given, and stores each record once for a test to see."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from detector.events.record import DeadLetter, Partition, Position, Record
from detector.pipeline.partitions import NewSnapshot, Ownership, SnapshotInfo
from detector.pipeline.ports import Transaction

RECEIVED_AT = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Seen:
    """Stores each record as a dead letter of its own, so that a test sees which were applied."""

    ownership: Ownership
    records: Sequence[Record]
    replayed: int
    last_event_ms: int | None = 1_700_000_000_000
    repeated: int = 3
    unknown_fields: int = 2
    drifts: int = 1
    unmatched: int = 0

    @property
    def next_offset(self) -> int | None:
        return self.records[-1].next_offset if self.records else None

    @property
    def events(self) -> int:
        return sum(record.value != b"poison" for record in self.records)

    @property
    def rejected(self) -> Mapping[str, int]:
        return Counter("poison" for record in self.records if record.value == b"poison")

    def apply(self, transaction: Transaction) -> None:
        assert self.next_offset is not None
        letters = [DeadLetter(r.position, "seen", "$", "", b"", 0) for r in self.records]
        known = transaction.dead_letters.counts().get("seen", 0)
        transaction.dead_letters.add(letters, RECEIVED_AT)
        assert transaction.dead_letters.counts()["seen"] == known + len(letters), "applied twice"
        transaction.partitions.advance(self.ownership, self.next_offset, self.events)


class RecordingWork:
    """Detection whose whole state is what it was given, as text in the snapshot's header."""

    def __init__(self, recorder: "Recorder", ownership: Ownership, snapshot: bytes | None) -> None:
        self.ownership = ownership
        self.state = [int(n) for n in (snapshot or b"").split()]
        self.start = self.state[-1] + 1 if self.state else ownership.next_offset
        self.looked = 0
        self._recorder = recorder
        self._stored = ownership.next_offset or 0

    def process(self, records: Sequence[Record]) -> Seen:
        self.state += [record.position.offset for record in records]
        fresh = [record for record in records if record.position.offset >= self._stored]
        self._recorder.processed += [record.position for record in fresh]
        return Seen(self.ownership, fresh, len(records) - len(fresh))

    def refresh(self, transaction: Transaction) -> None:
        self.looked += 1

    def snapshot(self) -> NewSnapshot | None:
        if not self.state:
            return None
        header = b" ".join(b"%d" % offset for offset in self.state)
        return NewSnapshot(self.state[-1] + 1, True, header, ())

    def saved(self, info: SnapshotInfo) -> None:
        self._recorder.saved.append(info)

    def clients(self) -> int:
        return 7


class Recorder:
    """Opens partitions at their newest snapshot."""

    def __init__(self) -> None:
        self.processed: list[Position] = []
        self.saved: list[SnapshotInfo] = []
        self.works: list[RecordingWork] = []

    def open(self, transaction: Transaction, partition: Partition) -> RecordingWork:
        ownership = transaction.partitions.claim(partition)
        header = None
        for info in transaction.snapshots.kept(partition)[:1]:
            header = transaction.snapshots.header(partition, info.generation)
        self.works.append(RecordingWork(self, ownership, header))
        return self.works[-1]
