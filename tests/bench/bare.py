"""The unit of the benchmark: kafka-python as it comes, and msgspec; nothing of the product."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from kafka import KafkaConsumer, TopicPartition

from tests.bench.log import Log
from tests.bench.timing import Speed, Stopwatch

POLL_MS = 500

Take = Callable[[Iterable[Any]], object]


class _Asked(msgspec.Struct):
    features: list[float]


class _Answered(msgspec.Struct):
    label: int
    scores: list[float]


class _Event(msgspec.Struct):
    """The log's records, with no rule but the types."""

    event_id: str
    time: int
    client_id: str
    model_id: str
    model_version: str
    session_id: str
    source_ip: str
    user_agent: str
    input: _Asked
    output: _Answered
    status: int
    latency_ms: float
    request_bytes: int


def poll(log: Log) -> Speed:
    """Poll, and do nothing with what comes."""
    return read(log, lambda _: None)


def poll_decode(log: Log) -> Speed:
    """Poll, and parse every record into a struct, one by one."""
    decode = msgspec.json.Decoder(_Event).decode

    def take(records: Iterable[Any]) -> None:
        for record in records:
            decode(record.value)

    return read(log, take)


def read(log: Log, take: Take) -> Speed:
    """Read a log with all of kafka-python's defaults; `take` is given every poll's records."""
    consumer = KafkaConsumer(bootstrap_servers=log.bootstrap)
    place = TopicPartition(log.topic, 0)
    consumer.assign([place])
    stopwatch = Stopwatch(log.events)
    consumer.seek(place, 0)
    left = log.events
    while left > 0:
        for records in consumer.poll(POLL_MS).values():
            take(records)
            left -= len(records)
    speed = stopwatch.speed()
    consumer.close()
    return speed
