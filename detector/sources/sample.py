"""The latest records of a topic, read beside whatever group works on it."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaConnectionError, KafkaError

from detector.events.record import Record
from detector.kit.errors import ConfigurationError, RecoverableError
from detector.sources.fetched import read_bounded
from detector.sources.kafka import KafkaSettings

SAMPLE_RECORDS = 2_000
SAMPLE_SECONDS = 3.0
_CLOSE_MS = 500


class TopicSample(NamedTuple):
    """How many partitions a topic has (0: it does not exist), and records of all of them."""

    partitions: int
    records: Sequence[Record]


def latest_records(
    settings: KafkaSettings,
    max_records: int = SAMPLE_RECORDS,
    seconds: float = SAMPLE_SECONDS,
) -> TopicSample:
    """Read the end of each partition of the first topic, without a group, for so long at most.

    Raises:
        RecoverableError: when no broker answers.
    """
    alone = {
        "group_id": None,
        "group_instance_id": None,
        "fetch_max_wait_ms": 100,
        # Records that expire meanwhile are no loss to a sample.
        "auto_offset_reset": "earliest",
    }
    until = time.monotonic() + seconds
    try:
        consumer = KafkaConsumer(**settings.consumer_options() | alone)
        try:
            read_bounded(consumer, settings.max_batch_bytes)
            numbers = sorted(consumer.partitions_for_topic(settings.topics[0]) or ())
            places = [TopicPartition(settings.topics[0], number) for number in numbers]
            return TopicSample(len(places), _tail(consumer, places, max_records, until))
        finally:
            consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)
    except KafkaError as error:
        if isinstance(error, KafkaConnectionError) or error.retriable:
            raise RecoverableError(f"Kafka does not answer: {error}") from error
        raise ConfigurationError(f"Kafka refuses: {error}") from error


def _tail(
    consumer: KafkaConsumer, places: list[TopicPartition], max_records: int, until: float
) -> list[Record]:
    if not places:
        return []
    consumer.assign(places)
    lows, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
    each = max(max_records // len(places), 1)
    waiting = set()
    for place in places:
        first = max(lows[place], ends[place] - each)
        consumer.seek(place, first)
        if first < ends[place]:
            waiting.add(place)
    found: list[Record] = []
    while waiting and (left := until - time.monotonic()) > 0:
        for shares in consumer.poll(int(min(left, 0.5) * 1000)).values():
            for share in shares:
                found += share.records(each)
        waiting = {place for place in waiting if consumer.position(place) < ends[place]}
    return found
