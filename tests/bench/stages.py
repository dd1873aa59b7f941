"""The stages, each a run over the same records that does what the one before does, and more.

Time runs from the first fetch to the last effect; connecting and joining the group are left out.
"""

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from prometheus_client import CollectorRegistry

from detector.events.decode import Decoder
from detector.events.record import Partition, Record
from detector.kit.clock import SystemClock
from detector.kit.metrics import StreamMetrics
from detector.pipeline.detect import Detector
from detector.pipeline.learning import DetectionPolicy
from detector.pipeline.ports import Poll
from detector.pipeline.triage import Triage, TriagePolicy
from detector.pipeline.watch import ModelWatch
from detector.pipeline.work import PartitionProcessor, Parts
from detector.reference.picture import Reference
from detector.sources.kafka import KafkaSettings, KafkaSource
from detector.storage import migrate
from detector.storage.store import open_store
from detector.stream.loop import Loop
from detector.stream.policy import LoopPolicy
from tests.bench.traffic import MODEL

POLL_SECONDS = 0.5
BATCH = LoopPolicy().batch_records

Handler = Callable[[Sequence[Record]], object]


@dataclass(frozen=True, slots=True)
class Log:
    """What every stage reads: records of one partition, and the reference to judge them by."""

    bootstrap: str
    topic: str
    events: int
    bytes_each: float
    reference: Reference


class Speed(NamedTuple):
    """Events a second by the clock on the wall, and microseconds of processor time an event.

    On a machine with other work to do the second is the steadier one; only the first knows of
    waiting for a server.
    """

    events_per_second: float
    cpu_us: float


class Stopwatch:
    """A stopwatch over `events` events."""

    def __init__(self, events: int) -> None:
        self._events = events
        self.begin()

    def begin(self) -> None:
        """Start, anew if it runs."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def speed(self) -> Speed:
        """Return the speed since `begin`."""
        cpu_us = 1e6 * (time.process_time() - self._cpu) / self._events
        return Speed(self._events / (time.perf_counter() - self._wall), cpu_us)


class WholeLog(KafkaSource):
    """The product's source as a group of its own, which ends after so many records.

    Attributes:
        stopwatch: Runs since the first fetch was asked for.
    """

    def __init__(self, log: Log) -> None:
        group = f"bench-{uuid.uuid4().hex[:8]}"
        super().__init__(KafkaSettings((log.bootstrap,), (log.topic,), group))
        self._left = log.events
        self.stopwatch = Stopwatch(log.events)

    def poll(self, max_records: int, timeout_s: float) -> Poll:
        """Return records; ended with the last one."""
        polled = super().poll(max_records, timeout_s)
        self._left -= len(polled.records)
        return replace(polled, ended=self._left <= 0)

    def start(self, partition: Partition, offset: int | None) -> int | None:
        """Let reading begin, and the time."""
        self.stopwatch.begin()
        return super().start(partition, offset)


class Unjudged(ModelWatch):
    """A watch that keeps every client's features and weighs no signs of them."""

    def __init__(self, log: Log) -> None:
        policy = DetectionPolicy()
        super().__init__(MODEL, log.reference, policy.scoring, policy.max_clients)
        *of_signs, volume = self._tables
        self._tables = (*(array[:0] for array in of_signs), volume)

    def _attend(self, *_: object) -> None:
        """Make no profile: with its novelty it belongs to scoring."""


def poll(log: Log) -> Speed:
    """Bare kafka-python: its own defaults, the same number of records a poll as the product."""
    consumer = KafkaConsumer(bootstrap_servers=log.bootstrap, enable_auto_commit=False)
    place = TopicPartition(log.topic, 0)
    consumer.assign([place])
    stopwatch = Stopwatch(log.events)
    consumer.seek(place, 0)
    left = log.events
    while left > 0:
        fetched = consumer.poll(int(POLL_SECONDS * 1000), BATCH)
        left -= sum(map(len, fetched.values()))
    speed = stopwatch.speed()
    consumer.close()
    return speed


def poll_decode(log: Log) -> Speed:
    """The product's source and decoder."""
    return _read(log, Decoder().decode_all)


def features(log: Log) -> Speed:
    """Also columns, p-values and every client's state, with no hypotheses about it."""
    decoder, unjudged = Decoder(), Unjudged(log)
    return _read(log, lambda records: unjudged.process(decoder.decode_all(records).events))


def scoring(log: Log) -> Speed:
    """All of detection."""
    decoder, detector = Decoder(), _detector(log)
    return _read(log, lambda records: detector.process(decoder.decode_all(records).events))


def pipeline(log: Log, database_url: str) -> Speed:
    """The whole loop: incidents, profiles and positions in an empty database."""
    migrate.upgrade(database_url)
    metrics, clock = StreamMetrics(CollectorRegistry()), SystemClock()
    triage = Triage(TriagePolicy(), clock)
    parts = Parts(Decoder(), lambda: _detector(log), triage, clock, metrics)
    source, store = WholeLog(log), open_store(database_url)
    stats = Loop(source, store, PartitionProcessor(parts), clock, metrics, threading.Event()).run()
    speed = source.stopwatch.speed()
    store.close()
    if stats.events < log.events:
        raise RuntimeError(f"{log.events} events were produced, {stats.events} stored")
    return speed


def _detector(log: Log) -> Detector:
    return Detector(DetectionPolicy(), {MODEL: log.reference})


def _read(log: Log, handle: Handler) -> Speed:
    source = WholeLog(log)
    ended = False
    while not ended:
        polled = source.poll(BATCH, POLL_SECONDS)
        for partition in polled.assigned:
            source.start(partition, 0)
        if polled.records:
            handle(polled.records)
        ended = polled.ended
    speed = source.stopwatch.speed()
    source.close()
    return speed
