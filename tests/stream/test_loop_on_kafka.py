"""The loop over a real broker: what it stores survives restarts, a lost broker and a new owner."""

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from prometheus_client import CollectorRegistry

from detector.events.record import Position
from detector.kit.clock import SystemClock
from detector.kit.metrics import StreamMetrics
from detector.sources.codecs import Codec
from detector.sources.kafka import KafkaSettings, KafkaSource
from detector.stream.loop import Loop
from detector.stream.policy import LoopPolicy
from tests.fakes.store import FakeStore
from tests.fakes.work import Recorder
from tests.services.kafka import running_kafka
from tests.sources.crafted import bomb, plain, send_batches
from tests.stream.test_loop import eventually

POLICY = LoopPolicy(batch_records=7, poll_seconds=0.1, first_backoff_seconds=0.05)


def produce(bootstrap: str, topic: str, numbers: Sequence[int], partitions: int = 1) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for number in numbers:
        producer.send(topic, b"%d" % number, partition=number % partitions)
    producer.flush()
    producer.close()


class Member(Recorder):
    def __init__(self) -> None:
        super().__init__()
        self.registry = CollectorRegistry()

    def owned(self) -> float | None:
        return self.registry.get_sample_value("querywatch_partitions_owned")


@contextmanager
def looping(how: KafkaSettings, store: FakeStore) -> Iterator[Member]:
    recorder, stop = Member(), threading.Event()
    metrics = StreamMetrics(recorder.registry)
    source = KafkaSource(how)
    loop = Loop(source, store, recorder, SystemClock(), metrics, stop, POLICY)
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield recorder
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive(), "the loop did not stop"


def settings(bootstrap: str, topic: str) -> KafkaSettings:
    return KafkaSettings((bootstrap,), (topic,), group=f"group-{uuid.uuid4().hex[:8]}")


def offsets(store: FakeStore) -> list[int]:
    return [position.offset for position in sorted(store.tables.dead_letters)]


def test_a_restarted_loop_goes_on_where_the_store_stands(
    kafka_bootstrap: str, create_topic: Callable[..., str]
) -> None:
    topic, store = create_topic(), FakeStore()
    how = settings(kafka_bootstrap, topic)
    produce(kafka_bootstrap, topic, range(20))
    with looping(how, store):
        eventually(lambda: len(offsets(store)) == 20)
    produce(kafka_bootstrap, topic, range(20, 30))
    with looping(how, store) as second:
        eventually(lambda: len(offsets(store)) == 30)
    assert second.processed == [Position(topic, 0, n) for n in range(20, 30)]


def test_a_bomb_and_its_neighbours_are_stored_and_passed_for_good(
    kafka_bootstrap: str, create_topic: Callable[..., str]
) -> None:
    topic, store = create_topic(), FakeStore()
    how = settings(kafka_bootstrap, topic)
    send_batches(kafka_bootstrap, topic, plain(b"before"), bomb(Codec.ZSTD, 40), plain(b"after"))
    with looping(how, store):
        eventually(lambda: offsets(store) == [0, 2, 3])
    produce(kafka_bootstrap, topic, range(2))
    with looping(how, store) as second:
        eventually(lambda: offsets(store) == [0, 2, 3, 4, 5])
    assert [position.offset for position in second.processed] == [4, 5]


def test_two_loops_share_a_topic_and_store_each_record_once(
    kafka_bootstrap: str, create_topic: Callable[..., str]
) -> None:
    topic, store = create_topic(partitions=4), FakeStore()
    how = settings(kafka_bootstrap, topic)
    with looping(how, store) as first:
        produce(kafka_bootstrap, topic, range(100), partitions=4)
        eventually(lambda: first.owned() == 4)
        with looping(how, store) as second:
            produce(kafka_bootstrap, topic, range(100, 200), partitions=4)
            eventually(lambda: first.owned() == second.owned() == 2)
            produce(kafka_bootstrap, topic, range(200, 300), partitions=4)
            eventually(lambda: len(offsets(store)) == 300)
            assert second.processed
        eventually(lambda: first.owned() == 4)
        produce(kafka_bootstrap, topic, range(300, 400), partitions=4)
        eventually(lambda: len(offsets(store)) == 400)
    assert offsets(store) == [offset for _ in range(4) for offset in range(100)]


def test_a_broker_that_restarts_costs_nothing(tmp_path: Path) -> None:
    store = FakeStore()
    with running_kafka(tmp_path) as broker:
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        admin.create_topics([NewTopic("log", 1, 1)])
        admin.close()
        produce(broker.bootstrap, "log", range(10))
        with looping(settings(broker.bootstrap, "log"), store):
            eventually(lambda: len(offsets(store)) == 10)
            broker.stop()
            broker.start()
            produce(broker.bootstrap, "log", range(10, 20))
            eventually(lambda: len(offsets(store)) == 20)
    assert offsets(store) == list(range(20))


def test_a_topic_that_is_made_anew_is_read_as_new(
    kafka_bootstrap: str, create_topic: Callable[..., str]
) -> None:
    topic, store = create_topic(), FakeStore()
    how = settings(kafka_bootstrap, topic)
    produce(kafka_bootstrap, topic, range(10))
    with looping(how, store):
        eventually(lambda: len(offsets(store)) == 10)
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    admin.delete_topics([topic])
    eventually(lambda: topic not in admin.list_topics())
    admin.create_topics([NewTopic(topic, 1, 1)])
    admin.close()
    store.tables.dead_letters.clear()
    produce(kafka_bootstrap, topic, range(4))
    with looping(how, store) as second:
        eventually(lambda: len(offsets(store)) == 4)
    assert second.processed == [Position(topic, 0, n) for n in range(4)]
    assert second.works[-1].state == [0, 1, 2, 3]
    [gap] = store.tables.gaps.values()
    assert (gap.first, gap.next) == (10, 0)
