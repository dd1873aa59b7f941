"""One place of a Kafka topic, read beside whatever group works on it."""

import time
from collections.abc import Sequence

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import LogTruncationError, OffsetOutOfRangeError

from detector.events.record import Partition, Record
from detector.kit.errors import RecoverableError
from detector.sources.fetched import read_bounded
from detector.sources.kafka import ALL_SHARES, CLOSE_MS, KafkaSettings
from detector.sources.kafka_client import translated


class NothingCameError(RecoverableError):
    """A place of the log that yields no record, for now or for ever."""


def read_at(
    settings: KafkaSettings, partition: Partition, offset: int, max_records: int, timeout_s: float
) -> Sequence[Record]:
    """Read from one place without joining the group: for what another client cannot take.

    Raises:
        NothingCameError: when nothing came within `timeout_s` seconds, or the log does not hold
            the place.
        RecoverableError: when no broker answers.
    """
    alone = {"group_id": None, "group_instance_id": None}
    place = TopicPartition(*partition)
    until = time.monotonic() + timeout_s
    with translated():
        consumer = KafkaConsumer(**settings.consumer_options() | alone)
        try:
            read_bounded(consumer, settings.max_batch_bytes)
            consumer.assign([place])
            consumer.seek(place, offset)
            while (left := until - time.monotonic()) > 0:
                # A share may hold no record: markers, or what was aborted.
                for share in consumer.poll(int(left * 1000), ALL_SHARES).get(place, ()):
                    records: Sequence[Record] = share.records(max_records)
                    if records:
                        return records
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            raise NothingCameError(f"{place.topic}/{place.partition}: {error}") from error
        finally:
            consumer.close(autocommit=False, timeout_ms=CLOSE_MS)
    raise NothingCameError(f"{place.topic}/{place.partition}: nothing came at {offset}")
