"""A log record as a source hands it over, before anything is known about its content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from detector.events.reasons import Reason


class Partition(NamedTuple):
    """One ordered piece of a log: a partition of a Kafka topic, or a file (partition 0)."""

    topic: str
    number: int


class Position(NamedTuple):
    """Where one record stands in the log; a file's offset is its zero-based line number."""

    topic: str
    partition: int
    offset: int


class Fault(NamedTuple):
    """Why a source could not hand over what stands in the log.

    Attributes:
        reason: What the dead letter is counted under.
        detail: Sentence for a person.
        size: Bytes that it takes in the log.
    """

    reason: Reason
    detail: str
    size: int


# Millions are made; the garbage collector need not look at them, as they hold no cycles.
class Record(msgspec.Struct, frozen=True, gc=False):
    """One undecoded log record.

    Attributes:
        position: Where the record was read.
        value: The body, or None for a tombstone.
        key: The partitioning key, if any.
        headers: Header names and values in the order received.
        timestamp_ms: When it was written, UTC milliseconds, as the broker has it; negative for
            none. An event cannot be much later.
        fault: Why there is no proper body; `value` then holds the first bytes of what stands there
            and the position is the last one that it covers.
    """

    position: Position
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int | None = None
    fault: Fault | None = None

    @property
    def partition(self) -> Partition:
        """The piece of the log that the record belongs to."""
        return Partition(self.position.topic, self.position.partition)

    @property
    def next_offset(self) -> int:
        """The offset to resume at once this record's effects are stored."""
        return self.position.offset + 1


def by_partition(records: Sequence[Record]) -> Mapping[Partition, list[Record]]:
    """Return each partition's records in order; a source hands them over in long stretches."""
    parts: dict[Partition, list[Record]] = {}
    topic, number, part = None, -1, []
    for record in records:
        position = record.position
        if position[1] != number or position[0] != topic:
            topic, number = position[0], position[1]
            part = parts.setdefault(record.partition, [])
        part.append(record)
    return parts


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be used, with the reason, kept so that nothing is lost.

    Attributes:
        position: Where the record was read.
        reason: Stable identifier, the key it is counted under.
        path: JSON path of the offending place.
        detail: Sentence for a person.
        body: The first bytes of the record, as received (bounded by the decoder).
        size: Full size of the record's body in bytes.
        key: The record's partitioning key, if any.
        headers: The record's headers; None when they and the key were too large to keep.
        timestamp_ms: The broker's timestamp, milliseconds since the epoch; None for files.
    """

    position: Position
    reason: str
    path: str
    detail: str
    body: bytes
    size: int
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] | None = ()
    timestamp_ms: int | None = None

    def record(self) -> Record | None:
        """The record as it was read, or None when not all of it was kept."""
        if len(self.body) != self.size or self.headers is None:
            return None
        return Record(self.position, self.body, self.key, self.headers, self.timestamp_ms)
