"""The product's stages, each a run over the same records that does what the one before does, and
more.

Time runs from the first fetch to the last effect; connecting and joining the group are left out,
and so is the last snapshot, which is made because the run ends.
"""

import importlib.util
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from detector.events.decode import Decoder
from detector.events.record import Partition, Record
from detector.kit.clock import SystemClock
from detector.kit.metrics import StreamMetrics
from detector.pipeline.detect import Detector
from detector.pipeline.learning import DetectionPolicy
from detector.pipeline.source import Poll, Source
from detector.pipeline.triage import Triage, TriagePolicy
from detector.pipeline.watch import ModelWatch
from detector.pipeline.work import PartitionProcessor, Parts
from detector.reference.picture import Reference
from detector.sources.clients import LIBRDKAFKA, open_kafka_source
from detector.sources.kafka import KafkaSettings, KafkaSource
from detector.storage import migrate
from detector.storage.store import open_store
from detector.stream.loop import Loop
from detector.stream.policy import LoopPolicy
from tests.bench.log import Log
from tests.bench.timing import Speed, Stopwatch
from tests.bench.traffic import MODEL

POLL_SECONDS = 0.5
BATCH = LoopPolicy().batch_records

Handler = Callable[[Sequence[Record]], object]
OpenSource = Callable[[KafkaSettings], Source]


def librdkafka() -> OpenSource | None:
    """What opens the source over librdkafka; None where its library is not there."""
    if importlib.util.find_spec("confluent_kafka") is None:
        return None
    return partial(open_kafka_source, LIBRDKAFKA)


class WholeLog:
    """A source of the product as a group of its own, which ends after so many records.

    Attributes:
        stopwatch: Runs since the first fetch was asked for.
        speed: Up to the commit of the last record; None before.
    """

    def __init__(self, log: Log, open_source: OpenSource) -> None:
        group = f"bench-{uuid.uuid4().hex[:8]}"
        self._inner = open_source(KafkaSettings((log.bootstrap,), (log.topic,), group))
        self._left = self._events = log.events
        self.stopwatch = Stopwatch(log.events)
        self.speed: Speed | None = None
        self.pause, self.resume = self._inner.pause, self._inner.resume
        self.hold, self.lag, self.close = self._inner.hold, self._inner.lag, self._inner.close
        self.ends = self._inner.ends

    def poll(self, max_records: int, timeout_s: float) -> Poll:
        """Return records; ended with the last one."""
        polled = self._inner.poll(min(max_records, max(self._left, 1)), timeout_s)
        self._left -= polled.count
        return replace(polled, ended=self._left <= 0)

    def start(self, partition: Partition, offset: int | None) -> None:
        """Let reading begin, and the time."""
        self.stopwatch.begin()
        self._inner.start(partition, offset)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Publish, and stop the time after the last record."""
        self._inner.commit(offsets)
        if max(offsets.values()) >= self._events:
            self.speed = self.stopwatch.speed()


class Unjudged(ModelWatch):
    """A watch that keeps every client's features and weighs no signs of them."""

    def __init__(self, reference: Reference) -> None:
        policy = DetectionPolicy()
        super().__init__(MODEL, reference, policy.scoring, policy.max_clients)
        *of_signs, volume = self._tables
        self._tables = (*(array[:0] for array in of_signs), volume)

    def _look_at(self, *_: object) -> None:
        """Make no profiles: with their novelty they belong to scoring."""


def decoding(log: Log) -> Speed:
    """The product's source and decoder."""
    return _read(log, Decoder().decode_all)


def features(log: Log) -> Speed:
    """Also columns, p-values and every client's state, with no hypotheses about it."""
    decoder, unjudged = Decoder(), Unjudged(log.reference)
    return _read(log, lambda records: unjudged.process(decoder.decode_all(records).events))


def scoring(log: Log) -> Speed:
    """All of detection."""
    decoder, detector = Decoder(), new_detector(log.reference)
    return _read(log, lambda records: detector.process(decoder.decode_all(records).events))


class Piped(NamedTuple):
    """A run of the whole loop: its speed, and how many snapshots took how many seconds in it."""

    speed: Speed
    snapshots: int
    snapshot_seconds: float


def pipeline(
    log: Log,
    database_url: str,
    open_source: OpenSource = KafkaSource,
    snapshot_seconds: float = LoopPolicy().snapshot_seconds,
) -> Piped:
    """The whole loop: incidents, profiles, snapshots and positions in an empty database."""
    migrate.upgrade(database_url)
    metrics, clock = StreamMetrics(CollectorRegistry()), SystemClock()
    source, store = WholeLog(log, open_source), open_store(database_url)
    processor = PartitionProcessor(parts(lambda: new_detector(log.reference), metrics))
    policy = LoopPolicy(snapshot_seconds=snapshot_seconds)
    stats = Loop(source, store, processor, clock, metrics, threading.Event(), policy).run()
    store.close()
    if stats.events < log.events or source.speed is None:
        raise RuntimeError(f"{log.events} events were produced, {stats.events} stored")
    samples = {
        sample.name.rpartition("_")[2]: sample.value
        for sample in next(iter(metrics.snapshot_seconds.collect())).samples
    }
    return Piped(source.speed, int(samples["count"]), samples["sum"])


def parts(new_detection: Callable[[], Detector], metrics: StreamMetrics) -> Parts:
    """What the work of a partition is made of, as the product puts it together."""
    clock = SystemClock()
    return Parts(Decoder(), new_detection, Triage(TriagePolicy(), clock), clock, metrics)


def new_detector(reference: Reference, policy: DetectionPolicy | None = None) -> Detector:
    """A detector that has seen nothing yet."""
    return Detector(policy or DetectionPolicy(), {MODEL: reference})


def _read(log: Log, handle: Handler) -> Speed:
    source = WholeLog(log, KafkaSource)
    ended = False
    while not ended:
        polled = source.poll(BATCH, POLL_SECONDS)
        for partition in polled.assigned:
            source.start(partition, 0)
        for records in polled.shares.values():
            handle(records)
        ended = polled.ended
    speed = source.stopwatch.speed()
    source.close()
    return speed
