"""A copy that is interrupted leaves nothing out."""

import threading
from collections.abc import Sequence

import pytest

from detector.events.decode import Decoder
from detector.events.place import SOURCE_HEADER
from detector.events.record import Partition, Position, Record
from detector.kit.errors import RecoverableError
from detector.pipeline.copies import Copy
from detector.pipeline.rekey import Rekeying
from tests.fakes.clock import SetClock
from tests.fakes.source import FakeSource

FIRST, SECOND = Partition("raw", 0), Partition("raw", 1)


class Unready(FakeSource):
    """Cannot start the second partition for a while."""

    refusals = 3

    def start(self, partition: Partition, offset: int | None) -> None:
        if partition == SECOND and self.refusals:
            self.refusals -= 1
            raise RecoverableError("no broker answers")
        super().start(partition, offset)


class Target:
    def __init__(self) -> None:
        self.places: list[bytes] = []

    def write(self, copies: Sequence[Copy]) -> Sequence[str]:
        self.places += [dict(copy.headers)[SOURCE_HEADER] for copy in copies]
        return ["" for _ in copies]


class Doubtful(Target):
    def write(self, copies: Sequence[Copy]) -> Sequence[str]:
        raise RecoverableError("not confirmed")


def log(partition: Partition, count: int) -> list[Record]:
    return [Record(Position(*partition, n), b"{}", b"k") for n in range(count)]


def rekeying(source: FakeSource, target: Target) -> Rekeying:
    return Rekeying(source, target, Decoder(), SetClock(), threading.Event())


def test_what_came_while_another_partition_cannot_be_started_is_copied() -> None:
    source, target = Unready({FIRST: log(FIRST, 5), SECOND: log(SECOND, 2)}), Target()
    stats = rekeying(source, target).run()
    assert sorted(target.places) == sorted(
        [b"raw/0/%d" % n for n in range(5)] + [b"raw/1/0", b"raw/1/1"]
    )
    assert stats.copied == 7
    assert source.committed == {FIRST: 5, SECOND: 2}


def test_nothing_is_committed_behind_a_write_in_doubt() -> None:
    source = FakeSource({FIRST: log(FIRST, 5)})
    with pytest.raises(RecoverableError, match="not confirmed"):
        rekeying(source, Doubtful()).run()
    assert source.committed == {}
