"""Kafka as a source whose positions the consumer group keeps, for work that has no database."""

import logging
from collections.abc import Mapping
from dataclasses import replace

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, KafkaError

from detector.events.record import Partition
from detector.kit.errors import RecoverableError
from detector.pipeline.source import Poll
from detector.sources.kafka import KafkaSettings, KafkaSource

log = logging.getLogger(__name__)

_WAIT_MS = 4_000


class GroupSource(KafkaSource):
    """A member of a group that goes on where the group's last commit stands."""

    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__(settings)
        self._uncommitted: dict[Partition, int] = {}

    def start(self, partition: Partition, offset: int | None) -> None:
        """Begin at `offset`, or where the group left off; at the earliest record at first.

        So it does, loudly, where the log does not hold that position.
        """
        ends = self.ends(partition)
        if offset is None:
            offset = self._committed(partition)
        if offset is not None and offset < ends.first:
            log.error("%s/%d: records expired before they were copied; going on at %d",
                      *partition, ends.first)  # fmt: skip
        elif offset is not None and offset > ends.end:
            log.error("%s/%d: the log ends at %d, but was copied up to %d: it was cut, or the "
                      "topic was made anew; it is copied again from %d on",
                      *partition, ends.end, offset, ends.first)  # fmt: skip
        held = offset is not None and ends.first <= offset <= ends.end
        super().start(partition, offset if held else ends.first)

    def _committed(self, partition: Partition) -> int | None:
        try:
            found: int | None = self._consumer.committed(
                TopicPartition(*partition), timeout_ms=_WAIT_MS
            )
        except KafkaError as error:
            raise RecoverableError(f"Kafka does not answer: {error}") from error
        return found

    def poll(self, max_records: int, timeout_s: float) -> Poll:
        """Return records, and commit what could not be committed before."""
        polled = super().poll(max_records, timeout_s)
        for partition in polled.revoked:
            self._uncommitted.pop(partition, None)
        if self._uncommitted:
            self.commit({})
        for partition in polled.astray:
            self._go_on(partition)
        return replace(polled, astray=())

    def _go_on(self, partition: Partition) -> None:
        """Read on at what the log still holds; nobody else would."""
        place = TopicPartition(*partition)
        try:
            self.start(partition, self._read_to[place])
        except RecoverableError as error:
            # The next poll tells it again; what this one read must not be lost.
            self._astray.add(place)
            log.warning("%s", error)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commit and wait for it.

        Positions that are not committed are only logged: another member has the partitions now, or
        no broker answers, and then the next poll tries again. What they cover may be read again.
        """
        self._uncommitted.update(offsets)
        positions = {
            TopicPartition(*partition): OffsetAndMetadata(offset, "", -1)
            for partition, offset in self._uncommitted.items()
        }
        try:
            self._consumer.commit(positions, timeout_ms=_WAIT_MS)
        except CommitFailedError:
            log.warning("another member has the partitions now; records will be copied again")
        except KafkaError as error:
            log.warning("positions not committed, trying again with the next: %s", error)
            return
        self._uncommitted.clear()
