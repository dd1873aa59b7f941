"""Partitions whose part of the log does not answer: they wait, and no other waits for them."""

import threading
from collections.abc import Collection
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from detector.events.record import Partition, Position, Record
from detector.kit.errors import RecoverableError
from detector.kit.metrics import StreamMetrics
from detector.pipeline.source import LogEnds, Poll
from detector.stream.loop import Loop
from detector.stream.policy import LoopPolicy
from tests.fakes.clock import SetClock
from tests.fakes.source import FakeSource
from tests.fakes.store import FakeStore
from tests.fakes.work import Recorder
from tests.stream.test_loop import LOG, OTHER, QUICK, Stage, eventually, log, positions

ANSWER_TAKES = 3.0
POLL_TAKES = 2.0
LONG = 400.0


class Leaderless(FakeSource):
    """Some partitions do not answer, for which one waits a while, until they have a leader again.

    Attributes:
        asked: How often one was waited for in vain.
        most_in_a_row: How often at most without a poll in between.
    """

    def __init__(
        self, clock: SetClock, stop: threading.Event, partitions: int, silent: Collection[int]
    ) -> None:
        super().__init__({Partition("log", n): [] for n in range(partitions)}, endless=True)
        self._clock, self._stop, self._until = clock, stop, clock.monotonic() + LONG
        self.silent = {Partition("log", n) for n in silent}
        self.asked = self.most_in_a_row = self._in_a_row = 0

    def poll(self, max_records: int, timeout_s: float) -> Poll:
        self._in_a_row = 0
        self._clock.advance(seconds=POLL_TAKES)
        if self._clock.monotonic() > self._until:
            self._stop.set()
        for partition, records in self.logs.items():
            offset = records[-1].next_offset if records else 0
            records.append(Record(Position(*partition, offset), b"ok"))
        return super().poll(max_records, timeout_s)

    def ends(self, partition: Partition) -> LogEnds:
        self._answer(partition)
        return super().ends(partition)

    def start(self, partition: Partition, offset: int | None) -> None:
        self._answer(partition)
        super().start(partition, offset)

    def _answer(self, partition: Partition) -> None:
        if partition not in self.silent:
            return
        self.asked += 1
        self._in_a_row += 1
        self.most_in_a_row = max(self.most_in_a_row, self._in_a_row)
        self._clock.advance(seconds=ANSWER_TAKES)
        raise RecoverableError("it has no leader")


class Scene:
    """A loop over such a source, on a clock of its own."""

    def __init__(self, partitions: int, silent: Collection[int]) -> None:
        self.clock, self.stop = SetClock(), threading.Event()
        self.source = Leaderless(self.clock, self.stop, partitions, silent)
        self.store, self.recorder = FakeStore(), Recorder()
        self.policy = LoopPolicy()
        metrics = StreamMetrics(CollectorRegistry())
        self.loop = Loop(
            self.source, self.store, self.recorder, self.clock, metrics, self.stop, self.policy
        )

    def read(self, number: int) -> int:
        """How many records of a partition are stored."""
        return self.store.tables.partitions[Partition("log", number)].next_offset or 0


@pytest.mark.parametrize("silent", [[0], [0, 1, 2, 3, 4, 5]])
def test_partitions_without_a_leader_take_little_time_from_the_others(silent: list[int]) -> None:
    scene = Scene(8, silent)
    scene.loop.run()
    at_first = len(silent) * ANSWER_TAKES
    lost = scene.source.asked * ANSWER_TAKES
    assert lost <= at_first + scene.policy.start_share * LONG + ANSWER_TAKES
    assert scene.source.asked > len(silent), "they are asked again"
    polls = (LONG - lost) / POLL_TAKES
    for number in (6, 7):
        assert scene.read(number) >= 0.9 * polls


def test_they_are_claimed_and_restored_once_and_polls_come_in_between() -> None:
    scene = Scene(8, range(6))
    scene.loop.run()
    assert {stored.epoch for stored in scene.store.tables.partitions.values()} == {1}
    assert len(scene.recorder.works) == 8
    # One of those that were claimed, and one of those that were put aside.
    assert scene.source.most_in_a_row <= 2


def test_one_that_has_a_leader_again_is_read_within_a_minute() -> None:
    class Elected(Leaderless):
        """Has leaders again after half of the time."""

        def poll(self, max_records: int, timeout_s: float) -> Poll:
            if self._clock.monotonic() > self._until - LONG / 2:
                self.silent.clear()
            if self._clock.monotonic() > self._until - LONG / 2 + 60:
                self._stop.set()
            return super().poll(max_records, timeout_s)

    scene = Scene(3, [0, 1])
    scene.source.__class__ = Elected
    scene.loop.run()
    assert scene.read(0)
    assert scene.read(1)


def test_one_that_leaves_the_log_and_does_not_answer_stops_no_neighbour() -> None:
    class Silent(FakeSource):
        """Does not answer for the first partition once its log has changed."""

        silent = False

        def ends(self, partition: Partition) -> LogEnds:
            if self.silent and partition == LOG:
                raise RecoverableError("it has no leader")
            return super().ends(partition)

    source = Silent({LOG: log(LOG, 4), OTHER: log(OTHER, 4)}, endless=True)
    stage = Stage(source)
    with stage.running():
        eventually(lambda: len(stage.stored()) == 8)
        source.silent = True
        source.logs[LOG] = log(LOG, 10)[7:]
        source.logs[OTHER] += log(OTHER, 300)[4:]
        eventually(lambda: stage.position(OTHER) == 300)
        assert stage.position(LOG) == 4
        source.silent = False
        eventually(lambda: stage.position(LOG) == 10)
    assert stage.metric("log_gaps_total") == 1
    assert {stored.epoch for stored in stage.store.tables.partitions.values()} == {1}


def test_one_that_is_taken_away_while_it_does_not_answer_is_started_no_more() -> None:
    class Silent(FakeSource):
        """Does not answer for the first partition."""

        asked = 0

        def ends(self, partition: Partition) -> LogEnds:
            if partition != LOG:
                return super().ends(partition)
            self.asked += 1
            raise RecoverableError("it has no leader")

    source = Silent({LOG: log(LOG, 4), OTHER: log(OTHER, 4)}, endless=True)
    stage = Stage(source)
    with stage.running():
        eventually(lambda: source.asked > 1)
        source.revoked.append(LOG)
        eventually(lambda: stage.metric("partitions_owned") == 1)
        asked, polls = source.asked, source.polls
        eventually(lambda: source.polls > polls + 20)
        assert source.asked <= asked + 1
    assert stage.processor.processed == positions(OTHER, *range(4))


def test_what_an_open_transaction_holds_up_is_no_stall() -> None:
    class Open(FakeSource):
        """Knows of ten records more than can be read."""

        asked = 0

        def lag(self) -> dict[Partition, int]:
            return dict.fromkeys(self._next, 10)

        def ends(self, partition: Partition) -> LogEnds:
            self.asked += 1
            return super().ends(partition)

    source = Open({LOG: log(LOG, 4)}, endless=True)
    stage = Stage(source, policy=replace(QUICK, stall_seconds=0.02))
    with stage.running():
        eventually(lambda: source.asked > 3)
        assert stage.metric("partition_stalls_total") == 0
        assert stage.metric("lag_records") == 10
        source.logs[LOG] += log(LOG, 6)[4:]
        eventually(lambda: stage.position() == 6)
    assert stage.metric("partition_stalls_total") == 0
