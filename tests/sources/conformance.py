"""What every source does, whatever it reads; a subclass says how bodies become a log."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import pytest

from detector.events.record import Partition, Record
from detector.pipeline.source import Source

PATIENCE = 60.0


def assigned(source: Source) -> Partition:
    """Poll until the source hands over its one partition."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        poll = source.poll(100, 0.2)
        assert not poll.records, "nothing is read before it is started"
        if poll.assigned:
            [partition] = poll.assigned
            return partition
    raise AssertionError("no partition was assigned")


def read(source: Source, count: int, at_once: int = 100) -> list[Record]:
    """Poll until so many records came."""
    records: list[Record] = []
    deadline = time.monotonic() + PATIENCE
    while len(records) < count and time.monotonic() < deadline:
        polled = source.poll(at_once, 0.2).records
        assert len(polled) <= at_once
        records += polled
    return records


def values(records: Sequence[Record]) -> list[bytes | None]:
    return [record.value for record in records]


class SourceConformance(ABC):
    @abstractmethod
    def open(self, bodies: Sequence[bytes]) -> AbstractContextManager[Source]:
        """A source over a log of one partition that holds these bodies from offset 0."""

    @pytest.fixture
    def source(self) -> Iterator[Source]:
        with self.open([b"a", b"b", b"c", b"d"]) as source:
            yield source

    def test_starts_at_the_earliest_record(self, source: Source) -> None:
        partition = assigned(source)
        source.start(partition, None)
        records = read(source, 4)
        assert values(records) == [b"a", b"b", b"c", b"d"]
        assert [record.position.offset for record in records] == [0, 1, 2, 3]
        assert {record.partition for record in records} == {partition}

    def test_starts_at_a_stored_position(self, source: Source) -> None:
        source.start(assigned(source), 2)
        assert values(read(source, 2)) == [b"c", b"d"]

    def test_nothing_comes_before_the_start(self, source: Source) -> None:
        assigned(source)
        poll = source.poll(100, 0.2)
        assert not poll.records
        assert not poll.ended

    def test_takes_no_more_than_asked_for(self, source: Source) -> None:
        source.start(assigned(source), None)
        assert values(read(source, 4, at_once=1)) == [b"a", b"b", b"c", b"d"]

    def test_a_pause_yields_nothing_and_loses_nothing(self, source: Source) -> None:
        source.start(assigned(source), None)
        first = read(source, 1, at_once=1)
        source.pause()
        for _ in range(3):
            poll = source.poll(100, 0.2)
            assert not poll.records
            assert not poll.ended
        source.resume()
        assert values(first + read(source, 3)) == [b"a", b"b", b"c", b"d"]

    def test_a_start_during_a_pause_waits_for_its_end(self, source: Source) -> None:
        partition = assigned(source)
        source.pause()
        source.start(partition, 1)
        assert not source.poll(100, 0.2).records
        source.resume()
        assert values(read(source, 3)) == [b"b", b"c", b"d"]

    def test_committing_disturbs_nothing(self, source: Source) -> None:
        partition = assigned(source)
        source.start(partition, None)
        first = read(source, 2, at_once=2)
        source.commit({partition: 2})
        assert values(first + read(source, 2)) == [b"a", b"b", b"c", b"d"]

    def test_a_start_elsewhere_leaves_out_what_lies_between(self, source: Source) -> None:
        partition = assigned(source)
        source.start(partition, None)
        read(source, 1, at_once=1)
        source.start(partition, 3)
        assert values(read(source, 1)) == [b"d"]
        source.start(partition, 1)
        assert values(read(source, 3)) == [b"b", b"c", b"d"]


class LogConformance(SourceConformance):
    """What a source does beside that whose log grows, and loses its oldest records."""

    @abstractmethod
    def append(self, source: Source, partition: Partition, bodies: Sequence[bytes]) -> None:
        """Let the log hold these behind what it holds."""

    @abstractmethod
    def expire(self, source: Source, partition: Partition, before: int) -> None:
        """Let the log hold nothing before that offset any more."""

    def test_a_position_that_leaves_the_log_is_told_and_reading_goes_on(
        self, source: Source
    ) -> None:
        partition = assigned(source)
        source.start(partition, None)
        assert len(read(source, 4)) == 4
        source.pause()
        for _ in range(3):
            assert not source.poll(100, 0.2).records
        self.append(source, partition, [b"e", b"f", b"g", b"h"])
        self.expire(source, partition, 6)
        source.resume()
        assert astray(source) == (partition,)
        for _ in range(3):
            poll = source.poll(100, 0.2)
            assert not poll.records
            assert not poll.astray
        ends = source.ends(partition)
        assert (ends.first, ends.end, ends.unread) == (6, 8, 4)
        source.start(partition, 6)
        assert values(read(source, 2)) == [b"g", b"h"]
        self.append(source, partition, [b"i"])
        assert values(read(source, 1)) == [b"i"]


def astray(source: Source) -> tuple[Partition, ...]:
    """Poll until the source says whose position the log does not hold."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        poll = source.poll(100, 0.2)
        assert not poll.records, "what lies behind the gap is nobody's yet"
        if poll.astray:
            return poll.astray
    raise AssertionError("nothing was told")
