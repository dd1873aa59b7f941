from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from detector.events.record import Partition, Position, Record
from tests.fakes.source import FakeSource
from tests.sources.conformance import SourceConformance


class TestFakeSource(SourceConformance):
    @contextmanager
    def open(self, bodies: Sequence[bytes]) -> Iterator[FakeSource]:
        log = [Record(Position("log", 0, n), body) for n, body in enumerate(bodies)]
        yield FakeSource({Partition("log", 0): log})
