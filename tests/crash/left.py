"""What a run has left in the database, without what the wall clock put there."""

from dataclasses import dataclass, fields

from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, Table, create_engine, select

from detector import bootstrap
from detector.config import Settings
from detector.events.record import Partition
from detector.kit.metrics import StreamMetrics
from detector.sources.kafka import KafkaSettings
from detector.sources.one_place import read_at
from detector.storage.store import open_store
from detector.storage.tables import (
    clients,
    dead_letters,
    incidents,
    outbox,
    partitions,
    timeline,
)

READ_SECONDS = 10.0
WALL_CLOCK = {
    "created_at", "updated_at", "timeline_head", "at", "previous_hash", "entry_hash", "due_at",
    "owner_epoch", "received_at", "waiting",
}  # fmt: skip
"""Also who owned what, and hashes over times."""


@dataclass(frozen=True)
class Left:
    """Rows as text, and the state of each partition."""

    incidents: tuple[str, ...]
    timeline: tuple[str, ...]
    letters: tuple[str, ...]
    messages: tuple[str, ...]
    clients: tuple[str, ...]
    partitions: tuple[str, ...]
    states: tuple[object, ...]

    def differences(self, other: "Left") -> list[str]:
        """Names of what is not the same."""
        names = [field.name for field in fields(Left)]
        return [name for name in names if getattr(self, name) != getattr(other, name)]


def left(database_url: str, kafka: KafkaSettings, count: int) -> Left:
    """Read everything that concerns a topic of `count` partitions."""
    engine = create_engine(database_url)
    places = [Partition(kafka.topics[0], number) for number in range(count)]
    try:
        return Left(
            _rows(engine, incidents),
            _rows(engine, timeline),
            _rows(engine, dead_letters),
            _rows(engine, outbox),
            _rows(engine, clients),
            _rows(engine, partitions),
            tuple(_state(database_url, kafka, partition) for partition in places),
        )
    finally:
        engine.dispose()


def _rows(engine: Engine, table: Table) -> tuple[str, ...]:
    kept = [column for column in table.columns if column.name not in WALL_CLOCK]
    with engine.connect() as connection:
        return tuple(sorted(str(tuple(row)) for row in connection.execute(select(*kept))))


def _state(database_url: str, kafka: KafkaSettings, partition: Partition) -> object:
    """Restore the partition as its next owner would, reading the log again, and take it whole."""
    settings = Settings(database_url=database_url)
    processor = bootstrap.processor(settings, StreamMetrics(CollectorRegistry()))
    store = open_store(database_url)
    try:
        with store.transaction() as transaction:
            work = processor.open(transaction, partition)
    finally:
        store.close()
    position, stored = work.start or 0, work.ownership.next_offset or 0
    while position < stored:
        records = read_at(kafka, partition, position, stored - position, READ_SECONDS)
        work.process(records)
        position = records[-1].next_offset
    snapshot = work.snapshot(whole=True)
    return None if snapshot is None else (snapshot.header, tuple(snapshot.parts))
