from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from detector.events.record import Partition, Position, Record
from detector.pipeline.source import Source
from tests.fakes.source import FakeSource
from tests.sources.conformance import LogConformance


class TestFakeSource(LogConformance):
    @contextmanager
    def open(self, bodies: Sequence[bytes]) -> Iterator[FakeSource]:
        log = [Record(Position("log", 0, n), body) for n, body in enumerate(bodies)]
        yield FakeSource({Partition("log", 0): log}, endless=True)

    def append(self, source: Source, partition: Partition, bodies: Sequence[bytes]) -> None:
        assert isinstance(source, FakeSource)
        log = source.logs[partition]
        for offset, body in enumerate(bodies, log[-1].next_offset):
            log.append(Record(Position(*partition, offset), body))

    def expire(self, source: Source, partition: Partition, before: int) -> None:
        assert isinstance(source, FakeSource)
        log = source.logs[partition]
        log[:] = [record for record in log if record.position.offset >= before]
