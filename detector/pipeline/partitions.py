"""The ports for what is kept of each partition of the log: owner, position, gaps, snapshots."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from detector.events.model import ModelKey
from detector.events.record import Partition


@dataclass(frozen=True, slots=True)
class Ownership:
    """The right to write for a partition: its epoch, and where to go on (None: the beginning)."""

    partition: Partition
    epoch: int
    next_offset: int | None


@dataclass(frozen=True, slots=True)
class LogGap:
    """Records that the log had lost before they were read: from `first` up to before `next`."""

    partition: Partition
    first: int
    next: int
    noticed_at: datetime


class PartitionCounts(NamedTuple):
    """How many records of a partition were stored as events, and how many as dead letters."""

    events: int
    rejected: int


class Partitions(Protocol):
    """Positions of the log's partitions, guarded by an owner epoch."""

    def claim(self, partition: Partition) -> Ownership:
        """Take the partition over by raising its epoch."""
        ...

    def rewind(self, ownership: Ownership) -> Ownership:
        """Forget the position and the counts; raises `StaleEpochError`."""
        ...

    def advance(
        self, ownership: Ownership, next_offset: int, events: int = 0, rejected: int = 0
    ) -> None:
        """Store the position and add to the counts.

        Raises `StaleEpochError` when another worker took over.
        """
        ...

    def positions(self) -> Mapping[Partition, int]:
        """Stored next offsets."""
        ...

    def counts(self) -> Mapping[Partition, PartitionCounts]:
        """What was stored of each partition, each record counted once."""
        ...

    def note_gap(self, gap: LogGap) -> None:
        """Keep what was missing; the same gap twice is one."""
        ...

    def gaps(self) -> Sequence[LogGap]:
        """Every gap, in the order of the log."""
        ...


@dataclass(frozen=True, slots=True)
class NewSnapshot:
    """State to be stored, as `pipeline.saved` seals it.

    Attributes:
        offset: The state holds all records before this one.
        whole: It needs no earlier snapshot; otherwise the parts say what changed since the last.
        header: Sealed.
        parts: Sealed; asked for once, while they are written.
    """

    offset: int
    whole: bool
    header: bytes
    parts: Iterable[bytes]


class SnapshotInfo(NamedTuple):
    """A stored snapshot: what it is called, and where reading goes on from it.

    Attributes:
        generation: Counts up by one with each snapshot of a partition.
        base: The whole snapshot that it rests on; itself when it is whole.
        offset: The state holds all records before this one.
        size: Bytes of the parts of this generation alone.
        base_size: Bytes of the parts of `base`.
        chain_size: Bytes of all parts from `base` on.
    """

    generation: int
    base: int
    offset: int
    size: int
    base_size: int
    chain_size: int


class Adoption(NamedTuple):
    """From the record at `offset` on, a model was judged by the reference of that digest."""

    offset: int
    model: ModelKey
    digest: str


class Snapshots(Protocol):
    """Snapshots of the partitions, and what must happen again when the log is read again."""

    def save(self, ownership: Ownership, snapshot: NewSnapshot) -> SnapshotInfo:
        """Store; the one before is kept and what only older ones need is deleted.

        Raises `StaleEpochError` when another worker took the partition over, `ConflictError` for
        a snapshot that is not whole when there is none before it.
        """
        ...

    def kept(self, partition: Partition) -> Sequence[SnapshotInfo]:
        """What can be restored, newest first."""
        ...

    def header(self, partition: Partition, generation: int) -> bytes:
        """The sealed header; raises `NotFoundError`."""
        ...

    def parts(self, partition: Partition, info: SnapshotInfo) -> Iterator[bytes]:
        """The sealed parts from its base on, in the order in which they were written."""
        ...

    def clear(self, partition: Partition) -> None:
        """Delete the partition's snapshots and adoptions."""
        ...

    def adopt(self, ownership: Ownership, adoption: Adoption) -> None:
        """Remember an adoption for when the log is read again; the same one twice is one."""
        ...

    def adoptions(self, partition: Partition, from_offset: int) -> Sequence[Adoption]:
        """Those at or behind that offset, in order."""
        ...
