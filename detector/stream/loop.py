"""The loop: poll, process, store, commit.

The order, for each partition's share of a poll:

1. `work.process` takes the records in and says what follows from them.
2. One transaction writes incidents, timeline, outbox, dead letters, profiles and references, and
   last the partition's position under the owner's epoch. Another owner's epoch undoes it all.
3. Only then is the position published to the log, where it is advisory.

Step 2 goes on beside the loop: meanwhile the next batch is read and detected, whose step 2 begins
when this one has ended. Nothing else touches the database before that.

Every few seconds a snapshot of the state is stored under the same epoch. A claimed partition begins
there: what stands before the stored position is read again and has no effects.

A database that is away makes the loop repeat step 2 with the *same* outcome, since detection's
state has moved on; the source is paused but still polled, so that this process stays in its group.
"""

import logging
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from typing import TypeVar

from detector.events.record import Partition, Record
from detector.kit.beside import OneThread
from detector.kit.clock import Clock
from detector.kit.errors import RecoverableError, StaleEpochError
from detector.kit.metrics import StreamMetrics
from detector.pipeline.ports import Poll, Source, Store, Transaction
from detector.pipeline.process import Outcome, Processor
from detector.stream.owned import Owned, Writing
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
        chance: random.Random | None = None,
        beside: Executor | None = None,
    ) -> None:
        """Take the parts; `beside` writes outcomes, in a thread of its own when None."""
        self._source = source
        self._store = store
        self._processor = processor
        self._clock = clock
        self._metrics = metrics
        self._stop = stop
        self._policy = policy or LoopPolicy()
        # Jitter keeps workers from retrying in step; nothing that is stored depends on it.
        self._chance = chance or random.Random()  # noqa: S311
        self._owned: dict[Partition, Owned] = {}
        self._beside = beside or OneThread("writer")
        self._writing: Writing | None = None
        self._unclaimed: list[Partition] = []
        self._astray: set[Partition] = set()
        self._overtaken: dict[Partition, float] = {}
        self._refresh_at = clock.monotonic() + self._policy.refresh_seconds
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
            self._part(self._owned.values())
        finally:
            self._beside.shutdown(wait=False)  # one that hangs must not keep the process
            self._source.close()
        return self.stats

    def _round(self) -> bool:
        """One poll and everything that follows from it; True when the source has ended."""
        before, writing = dict(self._owned), self._writing
        poll = self._poll(0.0 if self._writing else self._policy.poll_seconds)
        leaving = [self._owned[p] for p in poll.revoked if p in self._owned]
        self._take_changes(poll)
        if leaving:
            self._part(leaving)
        self._claim_assigned()
        for partition, records in poll.shares.items():
            owned = self._owned.get(partition)
            if self._stop.is_set():
                break
            # Lost since these were fetched, or claimed since and read from elsewhere: they come
            # again, to whom they belong.
            if owned is not None and owned is before.get(partition):
                self._handle(owned, records)
        self._start_astray()
        # Only where more is waiting there is something to gain by reading while this is written.
        if self._writing is writing or 2 * poll.count < self._policy.batch_records:
            self._settle()
        self._save_due()
        self._refresh()
        self._watch()
        return poll.ended

    def _poll(self, seconds: float) -> Poll:
        failures = 0
        while not self._stop.is_set():
            try:
                return self._ask(seconds)
            except RecoverableError as error:
                failures += 1
                self._settle()  # what is to be stored need not wait for the source
                self._clock.wait(self._stop, self._failed("source", failures, error))
        return Poll()

    def _ask(self, seconds: float) -> Poll:
        self._metrics.heartbeat.set(self._clock.now().timestamp())
        return self._source.poll(self._policy.batch_records, seconds)

    def _take_changes(self, poll: Poll) -> None:
        """Forget what was taken away; queue what is to be claimed, and what to start anew."""
        for partition in poll.revoked:
            self._forget(partition)
        self._unclaimed += poll.assigned
        self._astray.update(poll.astray)

    def _forget(self, partition: Partition) -> None:
        self._owned.pop(partition, None)
        self._overtaken.pop(partition, None)
        self._unclaimed = [waiting for waiting in self._unclaimed if waiting != partition]
        self._astray.discard(partition)
        self._show()

    def _show(self) -> None:
        self._metrics.partitions.set(len(self._owned))
        self._metrics.held.set(sum(owned.held for owned in self._owned.values()))

    def _claim_assigned(self) -> None:
        now = self._clock.monotonic()
        due = [partition for partition, at in self._overtaken.items() if at <= now]
        for partition in due:
            del self._overtaken[partition]
        self._unclaimed += due
        if self._unclaimed:
            self._settle()
        for partition in tuple(self._unclaimed):
            # While one was claimed, the next may have been taken away.
            if partition in self._unclaimed:
                self._claim(partition)

    def _claim(self, partition: Partition) -> None:
        opened = partial(self._once, lambda there: self._processor.open(there, partition))
        work = self._transact(opened, lambda: partition in self._unclaimed)
        if work is not None:
            self._start(Owned.claimed(work, self._clock.monotonic(), self._policy))

    def _start_astray(self) -> None:
        """Start anew at their positions what the log does not hold, or what stands still."""
        if self._astray:
            self._settle()
        for partition in sorted(self._astray):
            owned = self._owned.get(partition)
            if owned is None or owned.held:
                self._astray.discard(partition)
            elif not self._stop.is_set():
                self._start(owned)

    def _start(self, owned: Owned) -> None:
        """Read on from the position; a source that cannot now leaves that to the next round."""
        partition, wanted = owned.partition, owned.position
        try:
            instead = self._source.start(partition, wanted)
        except RecoverableError as error:
            self._clock.wait(self._stop, self._failed("source", 1, error))
            return
        self._forget(partition)
        owned.moved_at = self._clock.monotonic()
        self._owned[partition] = owned
        self._show()
        log.info("%s/%d: reading from %s, stored up to %s", *partition, wanted, owned.stored)
        if instead is not None and wanted is not None:
            self._note_gap(owned, wanted, instead)

    def _note_gap(self, owned: Owned, wanted: int, instead: int) -> None:
        """Say loudly, and keep, that the log did not hold the position that was asked for."""
        self._metrics.log_gaps.inc()
        log.error(
            "%s/%d: the log does not hold position %d any more; going on at %d",
            *owned.partition, wanted, instead,
        )  # fmt: skip
        gap = owned.move(wanted, instead, self._clock.now())
        if gap is not None:
            self._write(owned, partial(self._once, lambda there: there.partitions.note_gap(gap)))

    def _handle(self, owned: Owned, records: Sequence[Record]) -> None:
        """Take records in, and begin to write what follows from them."""
        began = self._clock.monotonic()
        outcome = owned.work.process(records)
        owned.position, owned.moved_at, owned.changed = records[-1].next_offset, began, True
        self._metrics.replayed.inc(outcome.replayed)
        if outcome.next_offset is None:
            return
        self._settle()
        # Lost, given up or held with the batch before: a later position would pass that over.
        passed = owned.unstored or owned.held or not self._is_owned(owned)
        owned.unstored = True
        if not passed:
            done = self._beside.submit(self._store_outcome, outcome)
            self._writing = Writing(owned, outcome, began, done)

    def _settle(self) -> None:
        """See the batch that is being written stored, or given up with its partition."""
        writing, self._writing = self._writing, None
        if writing is None:
            return
        owned, outcome = writing.owned, writing.outcome
        stored_at = self._write(owned, partial(self._store_outcome, outcome), writing.done)
        if stored_at is None:
            return
        owned.unstored = False
        owned.stored = outcome.next_offset
        self._count(outcome, stored_at - writing.began)
        if self._is_owned(owned) and outcome.next_offset is not None:
            self._source.commit({owned.partition: outcome.next_offset})
            self._spend(owned, outcome)

    def _store_outcome(self, outcome: Outcome) -> float:
        """Write an outcome; returns when it was stored, loop's seconds."""
        self._once(outcome.apply)
        return self._clock.monotonic()

    def _is_owned(self, owned: Owned) -> bool:
        return self._owned.get(owned.partition) is owned

    def _write(
        self, owned: Owned, work: Callable[[], T], begun: Future[T] | None = None
    ) -> T | None:
        """Do work that is the owner's alone; None when the partition is lost or a stop came."""
        partition = owned.partition
        try:
            return self._transact(work, lambda: self._is_owned(owned), begun)
        except StaleEpochError:
            self._metrics.partitions_lost.inc()
            log.warning("%s/%d: another worker owns it now", *partition)
            if not self._is_owned(owned):
                return None
            self._forget(partition)
            # Mostly the group takes it away at the next poll. If it does not, then the other one
            # was late: it claimed what it no longer had, and nobody would read the partition.
            until = self._clock.monotonic() + self._policy.reclaim_seconds
            self._overtaken[partition] = until
            return None

    def _count(self, outcome: Outcome, seconds: float) -> None:
        clients = sum(owned.work.clients() for owned in self._owned.values())
        self.stats.stored(outcome, clients, self._clock.now())
        report(self._metrics, outcome, clients, seconds)

    def _spend(self, owned: Owned, outcome: Outcome) -> None:
        """Read no more of a partition in which too much is unusable, until somebody has looked."""
        letters = sum(outcome.rejected.values())
        if owned.held or not owned.budget.spent(outcome.events + letters, letters):
            return
        owned.held = True
        self._source.hold(owned.partition)
        self._show()
        log.error(
            "%s/%d: more than %.0f%% of its latest records are unusable (%s); it is read no more. "
            "Look at them (`querywatch dlq list`), mend what writes the log, and start again",
            *owned.partition, 100 * self._policy.letter_share,
            ", ".join(sorted(outcome.rejected)),
        )  # fmt: skip

    def _save_due(self) -> None:
        now = self._clock.monotonic()
        due = [owned for owned in self._owned.values() if owned.changed and now >= owned.save_at]
        if due:
            self._settle()
        for owned in due:
            # What is not stored must not be in a snapshot: nobody would read it again.
            if self._is_owned(owned) and not owned.unstored:
                self._save(owned)

    def _save(self, owned: Owned) -> None:
        """Store a snapshot of a partition's state, and set the time of the next by its cost."""
        began = self._clock.monotonic()
        info = self._write(owned, partial(self._once, owned.save))
        now = self._clock.monotonic()
        if info is not None:
            owned.work.saved(info)
            self._metrics.snapshot_bytes.inc(info.size)
            self._metrics.snapshot_seconds.observe(now - began)
        owned.saved(now, now - began, self._policy, len(self._owned))

    def _part(self, leaving: Iterable[Owned]) -> None:
        """Store last snapshots as far as time allows, so that who comes next has less to read."""
        self._settle()
        if not self._policy.keeps_state:
            return
        until = self._clock.monotonic() + self._policy.parting_seconds
        for owned in tuple(leaving):
            late = self._clock.monotonic() + owned.save_took >= until
            if late or not owned.changed or owned.unstored:
                continue
            # Once and not again: who comes next may have claimed it, and reads what is missing.
            try:
                self._once(owned.save)
            except StaleEpochError:
                self._metrics.partitions_lost.inc()
            except RecoverableError as error:
                self._failed("store", 1, error)

    def _refresh(self) -> None:
        """Let every partition look for newly activated references."""
        now = self._clock.monotonic()
        if now < self._refresh_at:
            return
        self._refresh_at = now + self._policy.refresh_seconds
        self._settle()
        for owned in tuple(self._owned.values()):
            self._write(owned, partial(self._once, owned.work.refresh))

    def _watch(self) -> None:
        """Seek partitions anew that stand still though there is something to read."""
        now, lag, still = self._clock.monotonic(), self._source.lag(), set[Partition]()
        self._metrics.lag.set(sum(lag.values()))
        for partition, owned in self._owned.items():
            if not owned.stands_still(lag.get(partition, 0), now, self._policy):
                continue
            self._metrics.stalls.inc()
            log.error(
                "%s/%d: %d records to read and none came for %.0f s; seeking %s anew",
                *partition, lag[partition], now - owned.moved_at, owned.position,
            )  # fmt: skip
            owned.moved_at = now
            still.add(partition)
        self._astray |= still
        self._start_astray()
        self._astray -= still  # one that cannot be sought now must not hold up the others

    def _once(self, work: Callable[[Transaction], T]) -> T:
        with self._store.transaction() as transaction:
            return work(transaction)

    def _transact(
        self, work: Callable[[], T], wanted: Callable[[], bool], begun: Future[T] | None = None
    ) -> T | None:
        """Do `work`, which is one transaction, again and again while the database is away.

        `begun` is the first attempt when that was begun already. Returns the result, or None once a
        stop was asked for or the work is no longer `wanted`.
        """
        failures = 0
        try:
            while True:
                try:
                    return begun.result() if begun else work()
                except RecoverableError as error:
                    begun = None
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
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0 and not self._stop.is_set():
            try:
                self._take_changes(self._ask(0.0))
            except RecoverableError as error:
                self._failed("source", 1, error)
            self._clock.wait(self._stop, min(left, self._policy.poll_seconds))
