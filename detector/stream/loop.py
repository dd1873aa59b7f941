"""The loop: poll, process, store, commit.

The order, for each partition's share of a poll:

1. `work.process` takes the records in and says what follows from them.
2. One transaction writes incidents, timeline, outbox, dead letters, profiles and references, and
   last the partition's position under the owner's epoch. Another owner's epoch undoes it all.
3. Only then is the position published to the log, where it is advisory.

Step 2 goes on beside the loop: meanwhile the next batch is read and detected, whose step 2 begins
when this one has ended. Nothing else touches the database before that.

Every few seconds a snapshot of the state is stored under the same epoch. A claimed partition begins
there (`placing.py`): what stands before the stored position is read again and has no effects.

A database that is away makes the loop repeat step 2 with the *same* outcome, since detection's
state has moved on; the source is paused but still polled (`patience.py`), so that this process
stays in its group.
"""

import logging
import random
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from functools import partial

from detector.events.record import Record
from detector.kit.beside import OneThread
from detector.kit.clock import Clock
from detector.kit.errors import DamagedLogError, RecoverableError, StaleEpochError
from detector.kit.metrics import StreamMetrics
from detector.pipeline.ports import Store
from detector.pipeline.process import Outcome, Processor
from detector.pipeline.source import Poll, Source
from detector.stream.holdings import Holdings
from detector.stream.outside import Outside
from detector.stream.owned import Owned, Writing
from detector.stream.patience import Patience
from detector.stream.placing import Placing
from detector.stream.policy import LoopPolicy
from detector.stream.stats import Stats, report

log = logging.getLogger(__name__)


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
        self._outside = Outside(
            source, store, clock, metrics, stop, policy or LoopPolicy(),
            chance or random.Random(),  # noqa: S311 - jitter
        )  # fmt: skip
        self._holdings = Holdings(clock, metrics)
        self._patience = Patience(self._outside, self._holdings)
        self._placing = Placing(self._outside, self._holdings, self._patience, processor)
        self._beside = beside or OneThread("writer")
        self._writing: Writing | None = None
        self._refresh_at = clock.monotonic() + self._outside.policy.refresh_seconds
        self.stats = Stats(clock.now())

    def run(self) -> Stats:
        """Work until the source ends or a stop is asked for; closes the source.

        Raises whatever is neither recoverable nor a lost partition: it stops the worker, and what
        was not stored is read again.
        """
        try:
            ended = False
            while not (ended or self._outside.stop.is_set()):
                ended = self._round()
            self._part(self._holdings.owned.values())
        finally:
            self._beside.shutdown(wait=False)  # one that hangs must not keep the process
            self._outside.source.close()
        return self.stats

    def _round(self) -> bool:
        """One poll and everything that follows from it; True when the source has ended."""
        before, writing = dict(self._holdings.owned), self._writing
        poll = self._poll(0.0 if self._writing else self._outside.policy.poll_seconds)
        leaving = [self._holdings.owned[p] for p in poll.revoked if p in self._holdings.owned]
        self._holdings.take(poll)
        if leaving:
            self._part(leaving)
        if self._holdings.claims_due():
            self._settle()
            self._placing.claim()
        for partition, records in poll.shares.items():
            owned = self._holdings.owned.get(partition)
            if self._outside.stop.is_set():
                break
            # Lost since these were fetched, or claimed since and read from elsewhere: they come
            # again, to whom they belong.
            if owned is not None and owned is before.get(partition):
                self._handle(owned, records)
        if self._holdings.starts_due():
            self._settle()
            self._placing.start()
        # Only where more is waiting there is something to gain by reading while this is written.
        if self._writing is writing or 2 * poll.count < self._outside.policy.batch_records:
            self._settle()
        self._save_due()
        self._refresh()
        self._placing.watch()
        return poll.ended

    def _poll(self, seconds: float) -> Poll:
        failures = 0
        while not self._outside.stop.is_set():
            try:
                return self._patience.ask(seconds)
            except RecoverableError as error:
                failures += 1
                self._settle()  # what is to be stored need not wait for the source
                wait = self._patience.failed("source", failures, error)
                self._outside.clock.wait(self._outside.stop, wait)
            except DamagedLogError:
                self._settle()  # what stands before the damage is whole
                raise
        return Poll()

    def _handle(self, owned: Owned, records: Sequence[Record]) -> None:
        """Take records in, and begin to write what follows from them."""
        began = self._outside.clock.monotonic()
        outcome = owned.work.process(records)
        owned.position, owned.moved_at, owned.changed = records[-1].next_offset, began, True
        self._outside.metrics.replayed.inc(outcome.replayed)
        if outcome.next_offset is None:
            return
        self._settle()
        # Lost, given up or held with the batch before: a later position would pass that over.
        passed = owned.unstored or owned.held or not self._holdings.has(owned)
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
        stored_at = self._patience.alone(owned, partial(self._store_outcome, outcome), writing.done)
        if stored_at is None:
            return
        owned.unstored = False
        owned.stored = outcome.next_offset
        self._count(outcome, stored_at - writing.began)
        if self._holdings.has(owned) and outcome.next_offset is not None:
            self._outside.source.commit({owned.partition: outcome.next_offset})
            self._spend(owned, outcome)

    def _store_outcome(self, outcome: Outcome) -> float:
        """Write an outcome; returns when it was stored, loop's seconds."""
        self._patience.once(outcome.apply)
        return self._outside.clock.monotonic()

    def _count(self, outcome: Outcome, seconds: float) -> None:
        clients = sum(owned.work.clients() for owned in self._holdings.owned.values())
        self.stats.stored(outcome, clients, self._outside.clock.now())
        report(self._outside.metrics, outcome, clients, seconds)

    def _spend(self, owned: Owned, outcome: Outcome) -> None:
        """Read no more of a partition in which too much is unusable, until somebody has looked."""
        letters = sum(outcome.rejected.values())
        if owned.held or not owned.budget.spent(outcome.events + letters, letters):
            return
        owned.held = True
        self._outside.source.hold(owned.partition)
        self._holdings.show()
        log.error(
            "%s/%d: more than %.0f%% of its latest records are unusable (%s); it is read no more. "
            "Look at them (`querywatch dlq list`), mend what writes the log, and start again",
            *owned.partition, 100 * self._outside.policy.letter_share,
            ", ".join(sorted(outcome.rejected)),
        )  # fmt: skip

    def _save_due(self) -> None:
        now = self._outside.clock.monotonic()
        due = [
            owned
            for owned in self._holdings.owned.values()
            if owned.changed and now >= owned.save_at
        ]
        if due:
            self._settle()
        for owned in due:
            # What is not stored must not be in a snapshot: nobody would read it again.
            if self._holdings.has(owned) and not owned.unstored:
                self._save(owned)

    def _save(self, owned: Owned) -> None:
        """Store a snapshot of a partition's state, and set the time of the next by its cost."""
        began = self._outside.clock.monotonic()
        info = self._patience.alone(owned, partial(self._patience.once, owned.save))
        now = self._outside.clock.monotonic()
        if info is not None:
            owned.work.saved(info)
            self._outside.metrics.snapshot_bytes.inc(info.size)
            self._outside.metrics.snapshot_seconds.observe(now - began)
        owned.saved(now, now - began, self._outside.policy, len(self._holdings.owned))

    def _part(self, leaving: Iterable[Owned]) -> None:
        """Store last snapshots as far as time allows, so that who comes next has less to read."""
        self._settle()
        if not self._outside.policy.keeps_state:
            return
        until = self._outside.clock.monotonic() + self._outside.policy.parting_seconds
        for owned in tuple(leaving):
            late = self._outside.clock.monotonic() + owned.save_took >= until
            if late or not owned.changed or owned.unstored:
                continue
            # Once and not again: who comes next may have claimed it, and reads what is missing.
            try:
                self._patience.once(owned.save)
            except StaleEpochError:
                self._outside.metrics.partitions_lost.inc()
            except RecoverableError as error:
                self._patience.failed("store", 1, error)

    def _refresh(self) -> None:
        """Let every partition look for newly activated references."""
        now = self._outside.clock.monotonic()
        if now < self._refresh_at:
            return
        self._refresh_at = now + self._outside.policy.refresh_seconds
        self._settle()
        for owned in tuple(self._holdings.owned.values()):
            self._patience.alone(owned, partial(self._patience.once, owned.work.refresh))
