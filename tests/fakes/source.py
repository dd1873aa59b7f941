"""A `Source` in memory that passes the same conformance suite as files and Kafka."""

from collections.abc import Mapping, Sequence

from detector.events.record import Partition, Record, by_partition
from detector.pipeline.source import LogEnds, Poll


class FakeSource:
    """Hands out the records of a dictionary of logs; rebalances are what a test queues.

    `failure`, when set, is raised once instead of the next poll. With `endless`, the source waits
    for more once everything is read, as Kafka does.
    """

    def __init__(self, logs: Mapping[Partition, Sequence[Record]], endless: bool = False) -> None:
        self.logs = {partition: list(records) for partition, records in logs.items()}
        self.assigned: list[Partition] = list(self.logs)
        self.revoked: list[Partition] = []
        self.committed: dict[Partition, int] = {}
        self.failure: Exception | None = None
        self.closed = False
        self.polls = 0
        self._endless = endless
        self._next: dict[Partition, int] = {}
        self._waiting = set(self.logs)
        self._paused = False
        self._held: set[Partition] = set()

    def poll(self, max_records: int, timeout_s: float) -> Poll:
        self.polls += 1
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        assigned, revoked = _drain(self.assigned), _drain(self.revoked)
        for partition in revoked:
            self._next.pop(partition, None)
        astray = () if self._paused else self._left_behind()
        records = [] if self._paused else self._take(max_records)
        left = (
            bool(assigned)
            or bool(astray)
            or bool(self._waiting)
            or any(map(self._rest, self._next.keys() - self._held))
        )
        ended = not (left or self._endless or self._paused)
        return Poll(by_partition(records), assigned, revoked, ended, astray)

    def _left_behind(self) -> tuple[Partition, ...]:
        """Partitions whose next record the log does not hold; they rest until they are started."""
        started = self._next.keys() - self._held
        ends = {partition: self._ends(partition) for partition in started}
        astray = {p for p in started if not ends[p][0] <= self._next[p] <= ends[p][1]}
        self._held |= astray
        return tuple(sorted(astray))

    def _ends(self, partition: Partition) -> tuple[int, int]:
        log = tuple(self.logs[partition])
        return (log[0].position.offset, log[-1].next_offset) if log else (0, 0)

    def _take(self, max_records: int) -> list[Record]:
        taken: list[Record] = []
        for partition in sorted(self._next.keys() - self._held):
            batch = self._rest(partition)[: max_records - len(taken)]
            if batch:
                self._next[partition] = batch[-1].next_offset
            taken += batch
        return taken

    def _rest(self, partition: Partition) -> list[Record]:
        first, log = self._next[partition], tuple(self.logs[partition])
        if log and first < log[0].position.offset:
            return []
        return [record for record in log if record.position.offset >= first]

    def ends(self, partition: Partition) -> LogEnds:
        first, end = self._ends(partition)
        return LogEnds(first, end, max(end - self._next.get(partition, end), 0))

    def start(self, partition: Partition, offset: int | None) -> None:
        self._held.discard(partition)
        self._waiting.discard(partition)
        self._next[partition] = self._ends(partition)[0] if offset is None else offset

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def hold(self, partition: Partition) -> None:
        self._held.add(partition)

    def lag(self) -> Mapping[Partition, int]:
        ends = {p: log[-1].next_offset for p, log in self.logs.items() if log}
        return {p: max(ends.get(p, 0) - first, 0) for p, first in self._next.items()}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        self.committed.update(offsets)

    def close(self) -> None:
        self.closed = True


def _drain(queue: list[Partition]) -> tuple[Partition, ...]:
    """Empty the queue in place: a test's thread may append to it between any two statements."""
    taken = tuple(queue)
    del queue[: len(taken)]
    return taken
