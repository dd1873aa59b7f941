"""Snapshots of many partitions, all taken in one thread, stay within their share of the time."""

import threading
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from detector.events.record import Partition, Position, Record
from detector.kit.metrics import StreamMetrics
from detector.pipeline.source import Poll
from detector.stream.loop import Loop
from detector.stream.owned import Owned
from detector.stream.policy import LoopPolicy
from tests.fakes.clock import SetClock
from tests.fakes.source import FakeSource
from tests.fakes.store import FakeStore
from tests.fakes.work import Recorder

POLL_TAKES = 2.0
SAVE_TAKES = 1.0
LONG = 400.0


class Steady(FakeSource):
    """Every poll takes a while and finds another record in each partition."""

    def __init__(self, clock: SetClock, stop: threading.Event, partitions: int) -> None:
        super().__init__({Partition("log", n): [] for n in range(partitions)}, endless=True)
        self._clock, self._stop, self._until = clock, stop, clock.monotonic() + LONG

    def poll(self, max_records: int, timeout_s: float) -> Poll:
        self._clock.advance(seconds=POLL_TAKES)
        if self._clock.monotonic() > self._until:
            self._stop.set()
        for partition, log in self.logs.items():
            log.append(Record(Position(*partition, log[-1].next_offset if log else 0), b"ok"))
            del log[:-3]
        return super().poll(max_records, timeout_s)


@pytest.mark.parametrize("partitions", [1, 8])
def test_snapshots_take_their_share_of_the_time_however_many_partitions_there_are(
    partitions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, stop, saved = SetClock(), threading.Event(), []
    policy = LoopPolicy(snapshot_share=0.2, stall_seconds=LONG)

    def save(owned: Owned, _transaction: Any) -> None:
        saved.append(owned.partition)
        clock.advance(seconds=SAVE_TAKES)

    monkeypatch.setattr(Owned, "save", save)
    source = Steady(clock, stop, partitions)
    metrics = StreamMetrics(CollectorRegistry())
    began = clock.monotonic()
    Loop(source, FakeStore(), Recorder(), clock, metrics, stop, policy).run()
    share = len(saved) * SAVE_TAKES / (clock.monotonic() - began)
    once_more = 2 * partitions * SAVE_TAKES / LONG
    assert share <= policy.snapshot_share + once_more
    assert set(saved) == set(source.logs), "each has its turn"
