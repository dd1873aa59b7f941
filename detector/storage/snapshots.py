"""Snapshots of detection's state in the database."""

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from detector.events.model import ModelKey
from detector.events.record import Partition
from detector.kit.errors import ConflictError, NotFoundError
from detector.pipeline.partitions import Adoption, NewSnapshot, Ownership, SnapshotInfo
from detector.storage.partitions import require_epoch
from detector.storage.tables import adoptions, snapshot_parts, snapshots
from detector.storage.upsert import upsert


class SqlSnapshots:
    """The port `Snapshots` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def save(self, ownership: Ownership, snapshot: NewSnapshot) -> SnapshotInfo:
        """Store under the owner's epoch; the one before is kept and older ones are deleted."""
        require_epoch(self._connection, ownership)
        partition = ownership.partition
        before = next(iter(self.kept(partition)), None)
        if before is None and not snapshot.whole:
            raise ConflictError(f"partition {partition.number} of {partition.topic}: no snapshot")
        # One that breaks off leaves nothing: parts and header are in the caller's transaction.
        generation = before.generation + 1 if before else 1
        size = self._write_parts(partition, generation, snapshot)
        if snapshot.whole or before is None:
            info = SnapshotInfo(generation, generation, snapshot.offset, size, size, size)
        else:
            chain = before.chain_size + size
            info = SnapshotInfo(
                generation, before.base, snapshot.offset, size, before.base_size, chain
            )
        self._connection.execute(
            insert(snapshots).values(
                topic=partition.topic, number=partition.number, header=snapshot.header,
                **info._asdict(),
            )
        )  # fmt: skip
        if before is not None:
            self._prune(partition, before)
        return info

    def _write_parts(self, partition: Partition, generation: int, snapshot: NewSnapshot) -> int:
        size = 0
        for part, body in enumerate(snapshot.parts):
            size += len(body)
            self._connection.execute(
                insert(snapshot_parts).values(
                    topic=partition.topic, number=partition.number, generation=generation,
                    part=part, body=body,
                )
            )  # fmt: skip
        return size

    def _prune(self, partition: Partition, previous: SnapshotInfo) -> None:
        """Delete what neither the new snapshot nor the one before it needs."""
        for table, oldest in (
            (snapshots, snapshots.c.generation < previous.generation),
            (snapshot_parts, snapshot_parts.c.generation < previous.base),
            (adoptions, adoptions.c.offset < previous.offset),
        ):
            self._connection.execute(delete(table).where(_of(table.c, partition), oldest))

    def kept(self, partition: Partition) -> Sequence[SnapshotInfo]:
        """What can be restored, newest first."""
        columns = [snapshots.c[name] for name in SnapshotInfo._fields]
        rows = self._connection.execute(
            select(*columns)
            .where(_of(snapshots.c, partition))
            .order_by(snapshots.c.generation.desc())
        )
        return [SnapshotInfo(*row) for row in rows]

    def header(self, partition: Partition, generation: int) -> bytes:
        """The sealed header; raises `NotFoundError`."""
        body = self._connection.execute(
            select(snapshots.c.header).where(
                _of(snapshots.c, partition), snapshots.c.generation == generation
            )
        ).scalar_one_or_none()
        if body is None:
            raise NotFoundError(f"there is no snapshot {generation} of {partition}")
        return bytes(body)

    def parts(self, partition: Partition, info: SnapshotInfo) -> Iterator[bytes]:
        """The sealed parts from its base on, fetched one by one."""
        columns = snapshot_parts.c
        wanted = and_(
            _of(columns, partition), columns.generation.between(info.base, info.generation)
        )
        places = self._connection.execute(
            select(columns.generation, columns.part)
            .where(wanted)
            .order_by(columns.generation, columns.part)
        ).all()
        for generation, part in places:
            yield bytes(
                self._connection.execute(
                    select(columns.body).where(
                        _of(columns, partition),
                        columns.generation == generation,
                        columns.part == part,
                    )
                ).scalar_one()
            )

    def clear(self, partition: Partition) -> None:
        """Delete the partition's snapshots and adoptions."""
        for table in (snapshots, snapshot_parts, adoptions):
            self._connection.execute(delete(table).where(_of(table.c, partition)))

    def adopt(self, ownership: Ownership, adoption: Adoption) -> None:
        """Remember an adoption; the same one twice is one."""
        self._connection.execute(
            upsert(self._connection, adoptions)
            .values(
                topic=ownership.partition.topic, number=ownership.partition.number,
                offset=adoption.offset, tenant_id=adoption.model.tenant_id,
                model_id=adoption.model.model_id, digest=adoption.digest,
            )
            .on_conflict_do_nothing()
        )  # fmt: skip

    def adoptions(self, partition: Partition, from_offset: int) -> Sequence[Adoption]:
        """Those at or behind that offset, in order."""
        columns = adoptions.c
        rows = self._connection.execute(
            select(columns.offset, columns.tenant_id, columns.model_id, columns.digest)
            .where(_of(columns, partition), columns.offset >= from_offset)
            .order_by(columns.offset, columns.tenant_id, columns.model_id)
        )
        return [Adoption(row.offset, ModelKey(*row[1:3]), row.digest) for row in rows]


def _of(
    columns: ReadOnlyColumnCollection[str, ColumnElement[object]], partition: Partition
) -> ColumnElement[bool]:
    return and_(columns.topic == partition.topic, columns.number == partition.number)
