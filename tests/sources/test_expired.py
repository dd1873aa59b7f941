"""Records that leave the log while a member of the group works on it."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import NoOffsetForPartitionError

from detector.events.record import Partition, Record
from detector.kit.errors import RecoverableError
from detector.pipeline.source import Source
from detector.sources.clients import KAFKA_CLIENTS, KAFKA_PYTHON
from detector.sources.group import GroupSource
from detector.sources.kafka import KafkaSource
from detector.sources.one_place import NothingCameError, read_at
from tests.sources.conformance import PATIENCE, assigned, read, values
from tests.sources.test_kafka import CreateTopic, expire, opened_by, produce, settings

QUIET_POLLS = 3


def lose(source: Source, partition: Partition, bootstrap: str) -> None:
    """Let records 4 to 6 of 10 expire before the source can have fetched them."""
    source.pause()
    for _ in range(QUIET_POLLS):
        assert not source.poll(100, 0.2).records
    produce(bootstrap, partition.topic, [b"%d" % n for n in range(4, 10)])
    expire(bootstrap, partition, 7)
    source.resume()


def test_a_group_that_keeps_its_own_positions_goes_on_behind_the_gap(
    kafka_bootstrap: str,
    create_topic: CreateTopic,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    topic = create_topic()
    produce(kafka_bootstrap, topic, [b"%d" % n for n in range(4)])
    source = GroupSource(settings(kafka_bootstrap, topic))
    try:
        partition = assigned(source)
        source.start(partition, None)
        assert len(read(source, 4)) == 4
        lose(source, partition, kafka_bootstrap)
        real: Callable[..., None] = KafkaSource.start
        failures = [RecoverableError("the broker is away")] * 2

        def start(*arguments: Any) -> None:
            if failures:
                raise failures.pop()
            real(*arguments)

        monkeypatch.setattr(KafkaSource, "start", start)
        assert values(read(source, 3)) == [b"7", b"8", b"9"]
        assert not failures
    finally:
        source.close()
    assert "records expired before they were copied; going on at 7" in caplog.text


@pytest.mark.parametrize("client", KAFKA_CLIENTS)
def test_one_that_is_astray_costs_its_neighbour_nothing(
    kafka_bootstrap: str, create_topic: CreateTopic, client: str
) -> None:
    topic = create_topic(partitions=2)
    first, second = Partition(topic, 0), Partition(topic, 1)
    produce(kafka_bootstrap, topic, [b"%d" % n for n in range(4)])
    with opened_by(client, settings(kafka_bootstrap, topic)) as source:
        waiting = {first, second}
        deadline = time.monotonic() + PATIENCE
        while waiting and time.monotonic() < deadline:
            for partition in source.poll(100, 0.2).assigned:
                source.start(partition, None)
                waiting.discard(partition)
        assert len(read(source, 4)) == 4
        lose(source, first, kafka_bootstrap)
        produce(kafka_bootstrap, topic, [b"n%d" % n for n in range(50)], number=1)
        found: list[Record] = []
        astray: list[Partition] = []
        while len(found) < 50 and time.monotonic() < deadline:
            poll = source.poll(7, 0.2)
            found += poll.records
            astray += poll.astray
        assert values(found) == [b"n%d" % n for n in range(50)]
        while not astray and time.monotonic() < deadline:
            astray += source.poll(7, 0.2).astray
        assert astray == [first]
        assert source.ends(first).first == 7
        source.start(first, 7)
        assert values(read(source, 3)) == [b"7", b"8", b"9"]


def test_a_partition_that_nobody_has_placed_yet_stops_no_poll(
    kafka_bootstrap: str, create_topic: CreateTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = create_topic()
    produce(kafka_bootstrap, topic, [b"a"])
    with opened_by(KAFKA_PYTHON, settings(kafka_bootstrap, topic)) as source:
        assert isinstance(source, KafkaSource)
        source.start(assigned(source), None)

        def poll(*_: Any) -> Any:
            raise NoOffsetForPartitionError({TopicPartition(topic, 0)})

        with monkeypatch.context() as patch:
            patch.setattr(source._consumer, "poll", poll)
            assert source.poll(100, 0.1).count == 0
        assert values(read(source, 1)) == [b"a"]


def test_a_place_that_the_log_does_not_hold_yields_nothing(
    kafka_bootstrap: str, create_topic: CreateTopic
) -> None:
    topic = create_topic()
    produce(kafka_bootstrap, topic, [b"%d" % n for n in range(4)])
    expire(kafka_bootstrap, Partition(topic, 0), 2)
    with pytest.raises(NothingCameError):
        read_at(settings(kafka_bootstrap, topic), Partition(topic, 0), 1, 1, PATIENCE)
