"""Real detection in the loop: a world that moves is counted, not blamed on a client."""

import threading

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from detector.events.decode import Decoder
from detector.events.record import Partition, Position, Record
from detector.kit.clock import SystemClock
from detector.kit.metrics import StreamMetrics
from detector.pipeline.detect import Detection, build_detection
from detector.pipeline.learning import DetectionPolicy
from detector.pipeline.triage import Triage, TriagePolicy
from detector.pipeline.work import PartitionProcessor, Parts
from detector.stream.loop import Loop
from detector.stream.policy import LoopPolicy
from tests.fakes.source import FakeSource
from tests.fakes.store import FakeStore
from tests.pipeline.world import day_of
from tests.scoring.traffic import MODEL, reference

LOG = Partition("log", 0)
DAYS = 16


def alarms(first_moved_day: int, batch_records: int) -> float | None:
    days = (day_of(day, shift=0.4 if day >= first_moved_day else 0.0) for day in range(DAYS))
    events = [item.event for day in days for item in day]
    records = [Record(Position(*LOG, n), msgspec.json.encode(e)) for n, e in enumerate(events)]
    registry, clock = CollectorRegistry(), SystemClock()
    metrics = StreamMetrics(registry)

    def new_detection() -> Detection:
        return build_detection(DetectionPolicy(), {MODEL: reference()})

    triage = Triage(TriagePolicy(), clock)
    processor = PartitionProcessor(Parts(Decoder(), new_detection, triage, clock, metrics))
    policy = LoopPolicy(batch_records=batch_records, poll_seconds=0.01)
    source = FakeSource({LOG: records})
    Loop(source, FakeStore(), processor, clock, metrics, threading.Event(), policy).run()
    assert registry.get_sample_value("querywatch_events_total") == len(events)
    return registry.get_sample_value("querywatch_drift_alarms_total")


@pytest.mark.parametrize("batch_records", [500, 10_000])
def test_a_moved_world_is_counted_however_the_log_is_cut(batch_records: int) -> None:
    assert alarms(first_moved_day=6, batch_records=batch_records) == 1


def test_a_world_that_stays_raises_no_alarm() -> None:
    assert alarms(first_moved_day=DAYS, batch_records=2_000) == 0
