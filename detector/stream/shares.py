"""A poll's records by partition."""

from collections.abc import Mapping, Sequence

from detector.events.record import Partition, Record


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
