"""A `Source` in memory that passes the same conformance suite as files and Kafka."""

from collections.abc import Mapping, Sequence

from detector.events.record import Partition, Record, by_partition
from detector.pipeline.ports import Poll


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
        records = [] if self._paused else self._take(max_records)
        left = (
            bool(assigned)
            or bool(self._waiting)
            or any(map(self._rest, self._next.keys() - self._held))
        )
        return Poll(
            by_partition(records), assigned, revoked, not (left or self._endless or self._paused)
        )

    def _take(self, max_records: int) -> list[Record]:
        taken: list[Record] = []
        for partition in sorted(self._next.keys() - self._held):
            batch = self._rest(partition)[: max_records - len(taken)]
            if batch:
                self._next[partition] = batch[-1].next_offset
            taken += batch
        return taken

    def _rest(self, partition: Partition) -> list[Record]:
        first = self._next[partition]
        return [record for record in self.logs[partition] if record.position.offset >= first]

    def start(self, partition: Partition, offset: int | None) -> int | None:
        self._held.discard(partition)
        self._waiting.discard(partition)
        log = self.logs[partition]
        low = log[0].position.offset if log else 0
        high = log[-1].next_offset if log else 0
        lost = offset is not None and not low <= offset <= max(high, low)
        self._next[partition] = low if lost else offset or 0
        return low if lost else None

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def hold(self, partition: Partition) -> None:
        self._held.add(partition)

    def lag(self) -> Mapping[Partition, int]:
        return {partition: len(self._rest(partition)) for partition in self._next}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        self.committed.update(offsets)

    def close(self) -> None:
        self.closed = True


def _drain(queue: list[Partition]) -> tuple[Partition, ...]:
    """Empty the queue in place: a test's thread may append to it between any two statements."""
    taken = tuple(queue)
    del queue[: len(taken)]
    return taken
