"""What a simulated worker meets: the clock, its group's log and the database, which may fail."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from detector.events.record import Partition, Record, by_partition
from detector.kit.errors import RecoverableError
from detector.pipeline.source import LogEnds, Poll
from tests.fakes.clock import SetClock
from tests.fakes.store import FakeTransaction
from tests.simulation.turns import KilledError

if TYPE_CHECKING:
    from tests.simulation.world import Worker


class Waiting(SetClock):
    """The world's clock; who waits gives the turn away."""

    def __init__(self, worker: "Worker") -> None:
        super().__init__(worker.world.clock.time)
        self._worker = worker

    def monotonic(self) -> float:
        return self._worker.world.clock.monotonic()

    def wait(self, stop: threading.Event, seconds: float) -> None:
        self._worker.turn.step()
        self._worker.world.clock.advance(seconds=seconds)


class Consumer:
    """A member of the group. Records may come again; polls may fail."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker

    def poll(self, max_records: int, timeout_s: float) -> Poll:
        worker, world = self._worker, self._worker.world
        worker.turn.step()
        worker.beside.perhaps()
        world.clock.advance(seconds=0.05)
        if world.happens(world.faults.poll):
            raise RecoverableError("the broker is away")
        revoked, worker.revoked = tuple(worker.revoked), []
        assigned, worker.assigned = tuple(worker.assigned), []
        for partition in revoked:
            worker.reading.pop(partition, None)
            worker.astray.discard(partition)
        astray = () if worker.paused else self._left_behind()
        ready = [] if worker.paused else sorted(worker.reading.keys() - worker.astray)
        world.chance.shuffle(ready)
        records: list[Record] = []
        for partition in ready[:2]:
            first = worker.reading[partition]
            if first and world.happens(world.faults.again):
                first = world.chance.randint(max(first - 20, 0), first)
            there = world.log[partition][first : world.written[partition]]
            batch = there[: world.chance.randint(1, max_records)]
            if batch:
                worker.reading[partition] = max(worker.reading[partition], batch[-1].next_offset)
            records += batch
        return Poll(by_partition(records), assigned, revoked, astray=astray)

    def _left_behind(self) -> tuple[Partition, ...]:
        """Tell once of which partitions the log has been cut below where reading stands."""
        worker, written = self._worker, self._worker.world.written
        cut = {p for p, first in worker.reading.items() if first > written[p]} - worker.astray
        worker.astray |= cut
        return tuple(sorted(cut))

    def ends(self, partition: Partition) -> LogEnds:
        self._worker.turn.step()
        if self._worker.world.happens(self._worker.world.faults.poll):
            raise RecoverableError("the broker is away")
        return LogEnds(0, self._worker.world.written[partition])

    def start(self, partition: Partition, offset: int | None) -> None:
        self._worker.turn.step()
        if self._worker.world.happens(self._worker.world.faults.poll):
            raise RecoverableError("the broker is away")
        self._worker.reading[partition] = offset or 0
        self._worker.astray.discard(partition)

    def pause(self) -> None:
        self._worker.paused = True

    def resume(self) -> None:
        self._worker.paused = False

    def hold(self, partition: Partition) -> None:
        raise AssertionError(f"{partition} holds too little poison for that")

    def lag(self) -> Mapping[Partition, int]:
        return {}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Acknowledgements arrive late or never; nothing may rest on them."""
        self._worker.turn.step()

    def close(self) -> None:
        if not self._worker.turn.dead:
            self._worker.turn.step()


class Database:
    """The one store, through a connection that may fail before, at, or after the commit."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker

    @contextmanager
    def transaction(self) -> Iterator[FakeTransaction]:
        worker, world = self._worker, self._worker.world
        worker.turn.step()
        if world.happens(world.faults.begin):
            raise RecoverableError("the database is away")
        with world.store.transaction() as transaction:
            yield transaction
            if world.happens(world.faults.commit):
                raise RecoverableError("the connection broke before the commit")
            if world.happens(world.faults.kill_at_commit):
                worker.turn.dead = True
                raise KilledError
        # Committed: from here on nobody but the database knows.
        if world.happens(world.faults.doubt):
            raise RecoverableError("the connection broke behind the commit")
        if world.happens(world.faults.kill_at_commit):
            worker.turn.dead = True
            raise KilledError

    def ready(self) -> None:
        """It is."""

    def close(self) -> None:
        """Nothing to close."""
