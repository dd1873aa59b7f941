"""Positions of the log and the records that could not be used."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select, update

from detector.events.record import DeadLetter, Partition
from detector.kit.errors import StaleEpochError
from detector.pipeline.ports import Ownership
from detector.storage.rows import dead_letter_to_row
from detector.storage.tables import dead_letters, partitions
from detector.storage.upsert import upsert


class SqlPartitions:
    """The port `Partitions` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def claim(self, partition: Partition) -> Ownership:
        """Raise the partition's epoch, or begin with epoch 1, and say where to go on."""
        statement = upsert(self._connection, partitions).values(
            topic=partition.topic, number=partition.number, owner_epoch=1, next_offset=None
        )
        row = self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[partitions.c.topic, partitions.c.number],
                set_={"owner_epoch": partitions.c.owner_epoch + 1},
            ).returning(partitions.c.owner_epoch, partitions.c.next_offset)
        ).one()
        return Ownership(partition, row.owner_epoch, row.next_offset)

    def advance(self, ownership: Ownership, next_offset: int) -> None:
        """Compare the epoch and set the position; raises `StaleEpochError`."""
        result = self._connection.execute(
            update(partitions)
            .where(
                partitions.c.topic == ownership.partition.topic,
                partitions.c.number == ownership.partition.number,
                partitions.c.owner_epoch == ownership.epoch,
            )
            .values(next_offset=next_offset)
        )
        if result.rowcount != 1:
            topic, number = ownership.partition
            raise StaleEpochError(
                f"partition {number} of {topic} is not owned under epoch {ownership.epoch} any more"
            )

    def positions(self) -> Mapping[Partition, int]:
        """Stored next offsets of the partitions that have one."""
        rows = self._connection.execute(
            select(partitions).where(partitions.c.next_offset.is_not(None))
        )
        return {Partition(row.topic, row.number): row.next_offset for row in rows}


class SqlDeadLetters:
    """The port `DeadLetters` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Store them; the same position twice is stored once."""
        if letters:
            statement = upsert(self._connection, dead_letters).on_conflict_do_nothing()
            self._connection.execute(statement, [dead_letter_to_row(each) for each in letters])

    def counts(self) -> Mapping[str, int]:
        """Number of dead letters by reason."""
        rows = self._connection.execute(
            select(dead_letters.c.reason, func.count().label("number")).group_by(
                dead_letters.c.reason
            )
        )
        return {row.reason: row.number for row in rows}
