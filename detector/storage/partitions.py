"""Positions of the log's partitions and who may move them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, case, select, update

from detector.events.record import Partition
from detector.kit.errors import StaleEpochError
from detector.pipeline.partitions import LogGap, Ownership, PartitionCounts
from detector.storage.tables import log_gaps, partitions
from detector.storage.upsert import upsert


class SqlPartitions:
    """The port `Partitions` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def claim(self, partition: Partition) -> Ownership:
        """Raise the partition's epoch, or begin with epoch 1, and say where to go on."""
        statement = upsert(self._connection, partitions).values(
            topic=partition.topic,
            number=partition.number,
            owner_epoch=1,
            next_offset=None,
            events=0,
            rejected=0,
        )
        row = self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[partitions.c.topic, partitions.c.number],
                set_={"owner_epoch": partitions.c.owner_epoch + 1},
            ).returning(partitions.c.owner_epoch, partitions.c.next_offset)
        ).one()
        return Ownership(partition, row.owner_epoch, row.next_offset)

    def rewind(self, ownership: Ownership) -> Ownership:
        """Forget the position and the counts; raises `StaleEpochError`."""
        _update(self._connection, ownership, next_offset=None, events=0, rejected=0)
        return replace(ownership, next_offset=None)

    def advance(
        self, ownership: Ownership, next_offset: int, events: int = 0, rejected: int = 0
    ) -> None:
        """Compare the epoch, set the position and add to the counts; raises `StaleEpochError`.

        The same batch again, after a commit of which nobody knows whether it came through, finds
        the position where it would set it, and counts nothing.
        """
        columns = partitions.c
        new = columns.next_offset.is_distinct_from(next_offset)
        _update(
            self._connection,
            ownership,
            next_offset=next_offset,
            events=columns.events + case((new, events), else_=0),
            rejected=columns.rejected + case((new, rejected), else_=0),
        )

    def note_gap(self, gap: LogGap) -> None:
        """Keep what was missing; the same gap twice is one."""
        topic, number = gap.partition
        self._connection.execute(
            upsert(self._connection, log_gaps)
            .values(
                topic=topic,
                number=number,
                first=gap.first,
                next=gap.next,
                noticed_at=gap.noticed_at,
            )
            .on_conflict_do_nothing()
        )

    def gaps(self) -> Sequence[LogGap]:
        """Every gap, in the order of the log."""
        columns = log_gaps.c
        rows = self._connection.execute(
            select(log_gaps).order_by(columns.topic, columns.number, columns.first)
        )
        return [
            LogGap(Partition(row.topic, row.number), row.first, row.next, row.noticed_at)
            for row in rows
        ]

    def counts(self) -> Mapping[Partition, PartitionCounts]:
        """What was stored of each partition."""
        rows = self._connection.execute(select(partitions))
        return {
            Partition(row.topic, row.number): PartitionCounts(row.events, row.rejected)
            for row in rows
        }

    def positions(self) -> Mapping[Partition, int]:
        """Stored next offsets of the partitions that have one."""
        rows = self._connection.execute(
            select(partitions).where(partitions.c.next_offset.is_not(None))
        )
        return {Partition(row.topic, row.number): row.next_offset for row in rows}


def require_epoch(connection: Connection, ownership: Ownership) -> None:
    """Raise `StaleEpochError` unless the partition is still owned; holds it until the commit."""
    _update(connection, ownership, owner_epoch=ownership.epoch)


def _update(connection: Connection, ownership: Ownership, **values: object) -> None:
    topic, number = ownership.partition
    result = connection.execute(
        update(partitions)
        .where(
            partitions.c.topic == topic,
            partitions.c.number == number,
            partitions.c.owner_epoch == ownership.epoch,
        )
        .values(**values)
    )
    if result.rowcount != 1:
        raise StaleEpochError(
            f"partition {number} of {topic} is not owned under epoch {ownership.epoch} any more"
        )
