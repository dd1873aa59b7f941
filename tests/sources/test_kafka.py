import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from detector.events.record import Partition
from detector.kit.errors import ConfigurationError, RecoverableError
from detector.pipeline.source import Source
from detector.sources.clients import (
    KAFKA_CLIENTS,
    KAFKA_PYTHON,
    LIBRDKAFKA,
    open_kafka_source,
)
from detector.sources.kafka import KafkaSettings, KafkaSource
from detector.sources.librdkafka_options import consumer_options
from tests.services.kafka import running_kafka
from tests.sources.conformance import PATIENCE, LogConformance, assigned, read, values

CreateTopic = Callable[..., str]


def settings(bootstrap: str, topic: str) -> KafkaSettings:
    return KafkaSettings((bootstrap,), (topic,), group=f"group-{uuid.uuid4().hex[:8]}")


@contextmanager
def opened_by(client: str, how: KafkaSettings) -> Iterator[Source]:
    source = open_kafka_source(client, how)
    try:
        yield source
    finally:
        source.close()


Opened = Callable[..., AbstractContextManager[Source]]


@pytest.fixture(params=KAFKA_CLIENTS)
def opened(request: pytest.FixtureRequest) -> Opened:
    return partial(opened_by, request.param)


@contextmanager
def producing(bootstrap: str, **options: object) -> Iterator[KafkaProducer]:
    producer = KafkaProducer(bootstrap_servers=bootstrap, **options)
    try:
        yield producer
    finally:
        producer.close()


def produce(
    bootstrap: str, topic: str, bodies: Sequence[bytes], number: int = 0, **options: object
) -> None:
    with producing(bootstrap, **options) as producer:
        for body in bodies:
            producer.send(topic, body, partition=number)
        producer.flush()


def expire(bootstrap: str, partition: Partition, before: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.delete_records({TopicPartition(*partition): before})
    admin.close()


class TestKafkaSource(LogConformance):
    @pytest.fixture(autouse=True)
    def broker(self, kafka_bootstrap: str, create_topic: CreateTopic, opened: Opened) -> None:
        self.bootstrap, self.create_topic, self.opened = kafka_bootstrap, create_topic, opened

    @contextmanager
    def open(self, bodies: Sequence[bytes]) -> Iterator[Source]:
        topic = self.create_topic()
        produce(self.bootstrap, topic, bodies)
        with self.opened(settings(self.bootstrap, topic)) as source:
            yield source

    def append(self, source: Source, partition: Partition, bodies: Sequence[bytes]) -> None:
        del source
        produce(self.bootstrap, partition.topic, bodies)

    def expire(self, source: Source, partition: Partition, before: int) -> None:
        del source
        expire(self.bootstrap, partition, before)

    def test_a_held_partition_yields_nothing_until_it_is_started(self, source: Source) -> None:
        partition = assigned(source)
        source.start(partition, None)
        read(source, 1, at_once=1)
        source.hold(partition)
        for _ in range(3):
            assert not source.poll(100, 0.2).records
        source.start(partition, 1)
        assert values(read(source, 3)) == [b"b", b"c", b"d"]


def test_a_wait_for_records_ends_with_what_the_group_gives(
    kafka_bootstrap: str, create_topic: CreateTopic, opened: Opened
) -> None:
    with opened(settings(kafka_bootstrap, create_topic())) as source:
        began = time.monotonic()
        assert source.poll(100, PATIENCE).assigned
        assert time.monotonic() - began < PATIENCE


def test_a_partition_that_is_taken_away_meanwhile_stops_nobody(
    kafka_bootstrap: str, create_topic: CreateTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = create_topic()
    with opened_by(KAFKA_PYTHON, settings(kafka_bootstrap, topic)) as source:
        assert isinstance(source, KafkaSource)
        partition = assigned(source)
        source.start(partition, None)
        monkeypatch.setattr(source, "_fetch", lambda _: source._consumer.unsubscribe())
        source._stay()
        assert not source._consumer.assignment()
        source.pause()
        source.resume()
        source.hold(partition)
        source.start(partition, 0)
        assert source.lag() == {}


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_topics(
    kafka_bootstrap: str, create_topic: CreateTopic, opened: Opened, codec: str
) -> None:
    topic = create_topic()
    bodies = [b'{"n": %d, "same": "%s"}' % (n, b"x" * 200) for n in range(500)]
    produce(kafka_bootstrap, topic, bodies, compression_type=codec)
    with opened(settings(kafka_bootstrap, topic)) as source:
        source.start(assigned(source), None)
        assert values(read(source, 500)) == bodies


def test_keys_headers_times_and_tombstones(
    kafka_bootstrap: str, create_topic: CreateTopic, opened: Opened
) -> None:
    topic = create_topic()
    headers = [("ce_id", b"1"), ("ce_id", b"2"), ("empty", b"")]
    with producing(kafka_bootstrap) as producer:
        producer.send(topic, b"body", key=b"client", headers=headers, timestamp_ms=1_234)
        producer.send(topic, None, key=b"gone")
        producer.flush()
    with opened(settings(kafka_bootstrap, topic)) as source:
        source.start(assigned(source), None)
        full, tombstone = read(source, 2)
    assert (full.key, full.headers, full.timestamp_ms) == (b"client", tuple(headers), 1_234)
    assert (tombstone.key, tombstone.value, tombstone.headers) == (b"gone", None, ())


def test_a_restart_goes_by_the_stored_position_and_not_by_kafkas(
    kafka_bootstrap: str, create_topic: CreateTopic, opened: Opened
) -> None:
    topic = create_topic()
    produce(kafka_bootstrap, topic, [b"%d" % n for n in range(10)])
    how = settings(kafka_bootstrap, topic)
    with opened(how) as source:
        partition = assigned(source)
        source.start(partition, None)
        assert len(read(source, 10)) == 10
        source.commit({partition: 10})
        wait_for_commit(how, partition, 10)
    with opened(how) as source:
        source.start(assigned(source), 4)
        assert values(read(source, 6)) == [b"4", b"5", b"6", b"7", b"8", b"9"]


def test_who_works_off_in_small_pieces_what_was_fetched_at_once_stays_a_member(
    kafka_bootstrap: str, create_topic: CreateTopic, opened: Opened
) -> None:
    topic = create_topic()
    bodies = [b"%d" % n for n in range(3_000)]
    produce(kafka_bootstrap, topic, bodies)
    how = settings(kafka_bootstrap, topic)
    with opened(replace(how, session_timeout_ms=1_500, max_poll_interval_ms=2_000)) as source:
        source.start(assigned(source), None)
        found = read(source, 1)
        until = time.monotonic() + 4
        while time.monotonic() < until:
            poll = source.poll(10, 0.2)
            assert not poll.revoked
            found += poll.records
            time.sleep(0.05)
        found += read(source, len(bodies) - len(found), at_once=2_000)
    assert values(found) == bodies


def wait_for_commit(how: KafkaSettings, partition: Partition, offset: int) -> None:
    reader = KafkaConsumer(bootstrap_servers=list(how.bootstrap_servers), group_id=how.group)
    deadline = time.monotonic() + PATIENCE
    while reader.committed(TopicPartition(*partition)) != offset:
        assert time.monotonic() < deadline, "the position was never published"
        time.sleep(0.05)
    reader.close()


def test_two_members_share_the_partitions_and_trade_them(
    kafka_bootstrap: str, create_topic: CreateTopic, opened: Opened
) -> None:
    topic = create_topic(partitions=4)
    how = settings(kafka_bootstrap, topic)
    everything = {Partition(topic, number) for number in range(4)}
    with opened(how) as first:
        held: dict[str, set[Partition]] = {"first": set(), "second": set()}
        drive({"first": first}, held, lambda: held["first"] == everything)
        with opened(how) as second:
            both = {"first": first, "second": second}
            drive(both, held, lambda: len(held["first"]) == len(held["second"]) == 2)
            assert held["first"] | held["second"] == everything
        drive({"first": first}, held, lambda: held["first"] == everything)
        with producing(kafka_bootstrap) as producer:
            for number in range(4):
                producer.send(topic, b"%d" % number, partition=number)
        assert sorted(filter(None, values(read(first, 4)))) == [b"0", b"1", b"2", b"3"]


def drive(
    members: Mapping[str, Source], held: dict[str, set[Partition]], done: Callable[[], bool]
) -> None:
    """Poll the members in turn, starting what they are given, until `done`."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, f"the group never settled: {held}"
        for name, source in members.items():
            poll = source.poll(100, 0.1)
            held[name] -= set(poll.revoked)
            for partition in poll.assigned:
                source.start(partition, None)
                held[name].add(partition)


def test_a_static_member_that_restarts_keeps_its_partitions_without_a_rebalance(
    kafka_bootstrap: str, create_topic: CreateTopic, opened: Opened
) -> None:
    topic = create_topic(partitions=4)
    how = settings(kafka_bootstrap, topic)
    held: dict[str, set[Partition]] = {"restarting": set(), "staying": set()}
    with opened(replace(how, group_instance_id="staying")) as staying:
        drive({"staying": staying}, held, lambda: len(held["staying"]) == 4)
        with opened(replace(how, group_instance_id="restarting")) as first:
            both = {"restarting": first, "staying": staying}
            drive(both, held, lambda: len(held["restarting"]) == len(held["staying"]) == 2)
        kept, held["restarting"] = held["restarting"], set()
        before = set(held["staying"])
        with opened(replace(how, group_instance_id="restarting")) as second:
            both = {"restarting": second, "staying": staying}
            drive(both, held, lambda: bool(held["restarting"]))
            assert held == {"restarting": kept, "staying": before}


def test_the_earliest_record_is_where_the_log_begins(
    kafka_bootstrap: str, create_topic: CreateTopic, opened: Opened
) -> None:
    topic = create_topic()
    produce(kafka_bootstrap, topic, [b"%d" % n for n in range(10)])
    expire(kafka_bootstrap, Partition(topic, 0), 6)
    with opened(settings(kafka_bootstrap, topic)) as source:
        partition = assigned(source)
        ends = source.ends(partition)
        assert (ends.first, ends.end, ends.unread) == (6, 10, 0)
        source.start(partition, None)
        assert values(read(source, 4)) == [b"6", b"7", b"8", b"9"]


def test_a_held_partition_is_read_again_once_it_is_started(
    kafka_bootstrap: str, create_topic: CreateTopic, opened: Opened
) -> None:
    topic = create_topic()
    produce(kafka_bootstrap, topic, [b"%d" % n for n in range(10)])
    with opened(settings(kafka_bootstrap, topic)) as source:
        partition = assigned(source)
        source.start(partition, 2)
        assert len(read(source, 3, at_once=3)) == 3
        source.hold(partition)
        assert not source.poll(100, 1.0).records
        source.pause()
        source.resume()
        assert not source.poll(100, 1.0).records
        source.start(partition, 5)
        assert len(read(source, 5)) == 5


def test_lag_counts_what_was_not_read(
    kafka_bootstrap: str, create_topic: CreateTopic, opened: Opened
) -> None:
    topic = create_topic()
    produce(kafka_bootstrap, topic, [b"%d" % n for n in range(10)])
    with opened(settings(kafka_bootstrap, topic)) as source:
        partition = assigned(source)
        source.start(partition, None)
        assert len(read(source, 3, at_once=3)) == 3
        assert source.lag() == {partition: 7}


def test_lag_counts_no_marker_of_a_transaction_and_nothing_that_was_aborted(
    kafka_bootstrap: str, create_topic: CreateTopic, opened: Opened
) -> None:
    topic = create_topic()
    with opened(settings(kafka_bootstrap, topic)) as source:
        partition = assigned(source)
        source.start(partition, None)
        with producing(kafka_bootstrap, transactional_id=topic) as producer:
            producer.init_transactions()
            for body, end in (b"in", "commit"), (b"out", "abort"):
                producer.begin_transaction()
                producer.send(topic, body, partition=0)
                producer.flush()
                getattr(producer, f"{end}_transaction")()
        assert values(read(source, 1)) == [b"in"]
        deadline = time.monotonic() + PATIENCE
        while source.lag() != {partition: 0}:
            assert time.monotonic() < deadline, f"records seem to be left: {source.lag()}"
            assert not source.poll(100, 0.2).records
        source.start(partition, 0)
        assert values(read(source, 1)) == [b"in"]


def test_what_an_open_transaction_holds_up_cannot_be_read(
    kafka_bootstrap: str, create_topic: CreateTopic, opened: Opened
) -> None:
    topic = create_topic()
    produce(kafka_bootstrap, topic, [b"before"])
    with opened(settings(kafka_bootstrap, topic)) as source:
        partition = assigned(source)
        source.start(partition, None)
        with producing(kafka_bootstrap, transactional_id=topic) as producer:
            producer.init_transactions()
            producer.begin_transaction()
            producer.send(topic, b"within", partition=0)
            producer.flush()
            produce(kafka_bootstrap, topic, [b"behind"])
            assert values(read(source, 1)) == [b"before"]
            deadline = time.monotonic() + PATIENCE
            while source.lag() != {partition: 2}:
                assert time.monotonic() < deadline, f"it was never known: {source.lag()}"
                assert not source.poll(100, 0.2).records
            ends = source.ends(partition)
            assert (ends.first, ends.end, ends.unread) == (0, 1, 0)
            producer.commit_transaction()
        assert values(read(source, 2)) == [b"within", b"behind"]


def test_ends_that_nobody_tells_are_recoverable(tmp_path: Path, opened: Opened) -> None:
    with running_kafka(tmp_path) as broker:
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        admin.create_topics([NewTopic("log", 1, 1)])
        admin.close()
        with opened(settings(broker.bootstrap, "log")) as source:
            partition = assigned(source)
            assert source.ends(partition).end == 0
            broker.stop()
            with pytest.raises(RecoverableError, match="Kafka does not answer"):
                source.ends(partition)


def test_a_broker_that_is_not_there_is_recoverable(
    monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    monkeypatch.setitem(KafkaConsumer.DEFAULT_CONFIG, "bootstrap_timeout_ms", 300)
    monkeypatch.setattr("detector.sources.librdkafka._ANSWER_S", 0.3)
    with (
        pytest.raises(RecoverableError, match="Kafka does not answer"),
        opened(settings("127.0.0.1:1", "topic")),
    ):
        pass


def test_a_client_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    how = settings("127.0.0.1:1", "topic")
    with pytest.raises(ConfigurationError, match="one of kafka-python, librdkafka, not pykafka"):
        open_kafka_source("pykafka", how)
    monkeypatch.delitem(sys.modules, "detector.sources.librdkafka", raising=False)
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(ConfigurationError, match=r"install querywatch\[librdkafka\]"):
        open_kafka_source(LIBRDKAFKA, how)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"topics": ()}, "a topic"),
        ({"security_protocol": "TLS"}, "security protocol"),
        ({"security_protocol": "SASL_SSL"}, "SASL mechanism"),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}, "user name"),
    ],
)
def test_settings_name_what_is_missing(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        replace(KafkaSettings(("localhost:9092",), ("log",)), **changes)


def test_secrets_do_not_show() -> None:
    how = KafkaSettings(
        ("localhost:9092",),
        ("log",),
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="reader",
        sasl_password="hunter2",
        ssl_key_password="hunter3",
    )
    assert "hunter" not in repr(how)
    assert how.consumer_options()["sasl_plain_password"] == "hunter2"
    assert how.consumer_options()["ssl_password"] == "hunter3"
    options = consumer_options(how)
    assert (options["sasl.password"], options["ssl.key.password"]) == ("hunter2", "hunter3")
    Consumer(options).close()
