"""Logs that lose their end while they are read, as in an election of a leader that lacked it."""

import struct
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import LogTruncationError

from detector.events.record import Partition
from detector.sources.clients import KAFKA_CLIENTS, KAFKA_PYTHON, LIBRDKAFKA
from detector.sources.group import GroupSource
from detector.sources.librdkafka import LibrdkafkaSource
from tests.services.kafka import running_kafka
from tests.sources.conformance import PATIENCE, assigned, astray, read, values
from tests.sources.test_kafka import CreateTopic, opened_by, produce, settings

LOG = Partition("log", 0)
KEPT = 6
_BATCH = struct.Struct(">qi")


def cut(segment: Path, batches: int) -> None:
    """Let a log end behind so many batches; its broker must be down."""
    content, end = segment.read_bytes(), 0
    for _ in range(batches):
        _, size = _BATCH.unpack_from(content, end)
        end += _BATCH.size + size
    assert end < len(content)
    segment.write_bytes(content[:end])


def produce_apart(bootstrap: str, bodies: list[bytes]) -> None:
    """Write each in a batch of its own."""
    for body in bodies:
        produce(bootstrap, LOG.topic, [body])


@pytest.mark.parametrize("client", KAFKA_CLIENTS)
def test_a_log_that_was_cut_and_has_grown_again_is_told(tmp_path: Path, client: str) -> None:
    with running_kafka(tmp_path) as broker:
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        admin.create_topics([NewTopic(LOG.topic, 1, 1)])
        admin.close()
        produce_apart(broker.bootstrap, [b"%d" % n for n in range(10)])
        with opened_by(client, settings(broker.bootstrap, LOG.topic)) as source:
            source.start(assigned(source), None)
            assert len(read(source, 10)) == 10
            broker.stop()
            cut(tmp_path / "log" / "log-0" / f"{0:020}.log", KEPT)
            broker.start()
            produce(broker.bootstrap, LOG.topic, [b"n%d" % n for n in range(20)])
            assert astray(source) == (LOG,)
            ends = source.ends(LOG)
            assert ends.first == 0
            assert ends.end < 10, "though it holds the position again"
            source.start(LOG, KEPT)
            assert values(read(source, 20)) == [b"n%d" % n for n in range(20)]
            assert source.ends(LOG).end == KEPT + 20


def test_kafka_pythons_word_for_it_stops_nobody_and_says_where(
    kafka_bootstrap: str, create_topic: CreateTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = create_topic(partitions=2)
    places = [TopicPartition(topic, number) for number in range(2)]
    produce(kafka_bootstrap, topic, [b"%d" % n for n in range(10)])
    with opened_by(KAFKA_PYTHON, settings(kafka_bootstrap, topic)) as source:
        started: set[Partition] = set()
        deadline = time.monotonic() + PATIENCE
        while len(started) < 2 and time.monotonic() < deadline:
            for partition in source.poll(100, 0.2).assigned:
                source.start(partition, None)
                started.add(partition)
        assert len(read(source, 10)) == 10
        error = LogTruncationError({places[0]: SimpleNamespace(offset=4), places[1]: None})
        consumer: Any = source
        monkeypatch.setattr(consumer._consumer._fetcher, "_cached_log_truncation", error)
        told = astray(source)
        assert told == (Partition(topic, 0), Partition(topic, 1))
        assert [source.ends(partition).end for partition in told] == [4, 0]
        source.start(told[0], 4)
        assert values(read(source, 6)) == [b"%d" % n for n in range(4, 10)]
        assert source.ends(told[0]).end == 10


def test_librdkafkas_word_for_it_is_understood(
    kafka_bootstrap: str, create_topic: CreateTopic
) -> None:
    topic = create_topic()
    produce(kafka_bootstrap, topic, [b"%d" % n for n in range(10)])
    with opened_by(LIBRDKAFKA, settings(kafka_bootstrap, topic)) as source:
        assert isinstance(source, LibrdkafkaSource)
        partition = assigned(source)
        source.start(partition, None)
        assert len(read(source, 10)) == 10
        words = KafkaError(KafkaError._LOG_TRUNCATION).str()
        error = KafkaError(KafkaError._AUTO_OFFSET_RESET, f"fetch failed: {words} (broker 1)")
        message: Any = SimpleNamespace(
            error=lambda: error, topic=lambda: topic, partition=lambda: 0, offset=lambda: 10
        )
        assert source._unreadable(message, 1) == ()
        assert source.ends(partition).end == 0
        source.start(partition, 0)
        assert len(read(source, 10)) == 10


def test_a_copy_of_a_log_that_was_cut_begins_again_loudly(
    kafka_bootstrap: str, create_topic: CreateTopic, caplog: pytest.LogCaptureFixture
) -> None:
    topic = create_topic()
    produce(kafka_bootstrap, topic, [b"%d" % n for n in range(4)])
    source = GroupSource(settings(kafka_bootstrap, topic))
    try:
        source.start(assigned(source), 9)
        assert len(read(source, 4)) == 4
    finally:
        source.close()
    assert "the log ends at 4, but was copied up to 9" in caplog.text
