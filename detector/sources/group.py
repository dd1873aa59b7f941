"""Kafka as a source whose positions the consumer group keeps, for work that has no database."""

import logging
from collections.abc import Mapping

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, KafkaError

from detector.events.record import Partition
from detector.kit.errors import RecoverableError
from detector.sources.kafka import KafkaSource

log = logging.getLogger(__name__)

_WAIT_MS = 4_000


class GroupSource(KafkaSource):
    """A member of a group that goes on where the group's last commit stands."""

    def start(self, partition: Partition, offset: int | None) -> int | None:
        """Begin at `offset`, or where the group left off; at the earliest record at first."""
        if offset is None:
            place = TopicPartition(*partition)
            try:
                offset = self._consumer.committed(place, timeout_ms=_WAIT_MS)
            except KafkaError as error:
                raise RecoverableError(f"Kafka does not answer: {error}") from error
        return super().start(partition, offset)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commit and wait for it.

        Positions that are not committed, because another member has the partitions now or no broker
        answers, are only logged: what they cover is read again.
        """
        positions = {
            TopicPartition(*partition): OffsetAndMetadata(offset, "", -1)
            for partition, offset in offsets.items()
        }
        try:
            self._consumer.commit(positions, timeout_ms=_WAIT_MS)
        except CommitFailedError:
            log.warning("another member has the partitions now; records will be copied again")
        except KafkaError as error:
            log.warning("positions not committed; records may be copied again: %s", error)
