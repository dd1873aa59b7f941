"""The loop: poll, process, store, commit.

The order, for each partition's share of a poll:

1. `processor.process` takes the records in and says what follows from them.
2. One transaction writes incidents, timeline, outbox, dead letters, profiles and references, and
   last the partition's position under the owner's epoch. Another owner's epoch undoes it all.
3. Only then is the position published to the log, where it is advisory.

A database that is away makes the loop repeat step 2 with the *same* outcome, since detection's
state has moved on and must not see the records again; the source is paused but still polled, so
that this process stays in its group.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from detector.events.record import Partition, Record
from detector.kit.clock import Clock
from detector.kit.errors import RecoverableError, StaleEpochError
from detector.kit.metrics import StreamMetrics
from detector.pipeline.ports import Ownership, Poll, Source, Store, Transaction
from detector.pipeline.process import Outcome, Processor
from detector.stream.policy import LoopPolicy
from detector.stream.stats import Stats, report

log = logging.getLogger(__name__)

T = TypeVar("T")


class Loop:
    """Reads one source into one store until it ends or `stop` is set. `run` may be called once."""

    def __init__(
        self,
        source: Source,
        store: Store,
        processor: Processor,
        clock: Clock,
        metrics: StreamMetrics,
        stop: threading.Event,
        policy: LoopPolicy | None = None,
    ) -> None:
        self._source = source
        self._store = store
        self._processor = processor
        self._clock = clock
        self._metrics = metrics
        self._stop = stop
        self._policy = policy or LoopPolicy()
        # Jitter only keeps workers from retrying in step; nothing that is stored depends on it.
        self._chance = random.Random()  # noqa: S311
        self._owned: dict[Partition, Ownership] = {}
        self._unclaimed: list[Partition] = []
        self.stats = Stats(clock.now())

    def run(self) -> Stats:
        """Work until the source ends or a stop is asked for; closes the source.

        Raises whatever is neither recoverable nor a lost partition: it stops the worker, and what
        was not stored is read again.
        """
        try:
            ended = False
            while not (ended or self._stop.is_set()):
                ended = self._round()
        finally:
            self._source.close()
        return self.stats

    def _round(self) -> bool:
        """One poll and everything that follows from it; True when the source has ended."""
        poll = self._poll(self._policy.poll_seconds)
        self._take_changes(poll)
        self._claim_assigned()
        for partition, records in _by_partition(poll.records).items():
            if self._stop.is_set():
                break
            self._handle(partition, records)
        return poll.ended

    def _poll(self, seconds: float) -> Poll:
        failures = 0
        while not self._stop.is_set():
            self._metrics.heartbeat.set(self._clock.now().timestamp())
            try:
                return self._source.poll(self._policy.batch_records, seconds)
            except RecoverableError as error:
                failures += 1
                self._stop.wait(self._failed("source", failures, error))
        return Poll()

    def _take_changes(self, poll: Poll) -> None:
        """Forget what was taken away; queue what was given until it can be claimed."""
        for partition in poll.revoked:
            self._forget(partition)
        self._unclaimed += poll.assigned

    def _forget(self, partition: Partition) -> None:
        self._owned.pop(partition, None)
        self._unclaimed = [waiting for waiting in self._unclaimed if waiting != partition]
        self._metrics.partitions.set(len(self._owned))

    def _claim_assigned(self) -> None:
        for partition in tuple(self._unclaimed):
            self._claim(partition)

    def _claim(self, partition: Partition) -> None:
        ownership = self._transact(
            lambda transaction: transaction.partitions.claim(partition),
            lambda: partition in self._unclaimed,
        )
        if ownership is not None:
            self._begin(ownership)

    def _begin(self, ownership: Ownership) -> None:
        """Start reading; a source that cannot now leaves the partition to the next round."""
        try:
            self._source.start(ownership.partition, ownership.next_offset)
        except RecoverableError as error:
            self._stop.wait(self._failed("source", 1, error))
            return
        self._forget(ownership.partition)
        self._owned[ownership.partition] = ownership
        self._metrics.partitions.set(len(self._owned))
        log.info("%s/%d: reading from %s", *ownership.partition, ownership.next_offset)

    def _handle(self, partition: Partition, records: Sequence[Record]) -> None:
        ownership = self._owned.get(partition)
        if ownership is None:
            return  # lost since these were fetched; its new owner reads them
        began = time.perf_counter()
        outcome = self._processor.process(records)
        next_offset = records[-1].next_offset

        def write(transaction: Transaction) -> bool:
            outcome.apply(transaction)
            transaction.partitions.advance(ownership, next_offset)
            return True

        try:
            stored = self._transact(write, lambda: self._owned.get(partition) is ownership)
        except StaleEpochError:
            self._metrics.partitions_lost.inc()
            log.warning("%s/%d: another worker owns it now", *partition)
            self._forget(partition)
            return
        if stored:
            self._count(outcome, time.perf_counter() - began)
            self._source.commit({partition: next_offset})

    def _count(self, outcome: Outcome, seconds: float) -> None:
        clients = self._processor.clients()
        self.stats.stored(outcome, clients, self._clock.now())
        report(self._metrics, outcome, clients, seconds)

    def _transact(self, work: Callable[[Transaction], T], wanted: Callable[[], bool]) -> T | None:
        """Do `work` in a transaction, again and again while the database is away.

        Returns its result, or None once a stop was asked for or the work is no longer `wanted`.
        """
        failures = 0
        try:
            while True:
                try:
                    with self._store.transaction() as transaction:
                        return work(transaction)
                except RecoverableError as error:
                    if failures == 0:
                        self._source.pause()
                    failures += 1
                    self._wait_in_group(self._failed("store", failures, error))
                if self._stop.is_set() or not wanted():
                    return None
        finally:
            if failures:
                self._source.resume()

    def _failed(self, port: str, failures: int, error: RecoverableError) -> float:
        """Note a failure; returns the seconds to wait before the next attempt."""
        self._metrics.retries.labels(port).inc()
        seconds = self._policy.backoff(failures, self._chance)
        log.warning("%s unwell, trying again in %.1f s: %s", port, seconds, error)
        return seconds

    def _wait_in_group(self, seconds: float) -> None:
        """Wait while polling the paused source, which yields no records but keeps its place."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stop.is_set():
            self._take_changes(self._poll(0.0))
            self._stop.wait(min(left, self._policy.poll_seconds))


def _by_partition(records: Sequence[Record]) -> Mapping[Partition, list[Record]]:
    parts: dict[Partition, list[Record]] = {}
    for record in records:
        parts.setdefault(record.partition, []).append(record)
    return parts
