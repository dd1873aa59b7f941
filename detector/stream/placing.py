"""Where reading begins: partitions are claimed, and started where their state and the log agree.

A log that ends before what was read of it is another one: it was cut, as when a replica that lacked
its end became the leader, or the topic was made anew. Which of the two, and what of it was read
before, nobody can tell. So the partition is read as if it had never been: its state and position
are given up, and all that the log holds is taken in once, into a state that has none of it.
"""

import logging
from functools import partial

from detector.events.record import Partition
from detector.kit.errors import RecoverableError
from detector.pipeline.partitions import LogGap
from detector.pipeline.ports import Transaction
from detector.pipeline.process import Processor
from detector.pipeline.source import LogEnds
from detector.stream.holdings import Holdings
from detector.stream.outside import Outside
from detector.stream.owned import Owned
from detector.stream.patience import Patience

log = logging.getLogger(__name__)


class Placing:
    """Claims and starts partitions; behind one that does not answer, polls come first."""

    def __init__(
        self, outside: Outside, holdings: Holdings, patience: Patience, processor: Processor
    ) -> None:
        self._outside = outside
        self._holdings = holdings
        self._patience = patience
        self._processor = processor
        self._retry_at = outside.clock.monotonic()

    def claim(self) -> None:
        """Claim what is due and start it; the loop writes nothing meanwhile."""
        for partition in self._holdings.claims_due():
            owned = self._claim(partition)
            if owned is not None and not self._start(owned):
                return

    def _claim(self, partition: Partition) -> Owned | None:
        opened = partial(self._patience.once, lambda there: self._processor.open(there, partition))
        # While one was claimed, the next may have been taken away.
        if not self._holdings.awaits_claim(partition):
            return None
        work = self._patience.transact(opened, lambda: self._holdings.awaits_claim(partition))
        if work is None:
            return None
        owned = Owned.claimed(work, self._outside.clock.monotonic(), self._outside.policy)
        self._holdings.claimed(owned)
        return owned

    def start(self) -> None:
        """Start what is due; the loop writes nothing meanwhile."""
        for owned in self._holdings.starts_due():
            waits = owned.failures and self._outside.clock.monotonic() < self._retry_at
            if waits or not self._holdings.has(owned):
                continue
            if self._outside.stop.is_set() or not self._start(owned):
                return

    def _start(self, owned: Owned) -> bool:
        """Read on from the position; False when the log does not answer, which is asked later."""
        partition, wanted, source = owned.partition, owned.position, self._outside.source
        asked_at = self._outside.clock.monotonic()
        try:
            ends = source.ends(partition)
            begin = ends.first if wanted is None else max(wanted, ends.first)
            if owned.reached > ends.end:
                self._begin_anew(owned, ends)
                return True
            if owned.still and not self._stalls(owned, ends):
                self._holdings.started(owned)
                return True
            source.start(partition, begin)
        except RecoverableError as error:
            self._put_aside(owned, asked_at, error)
            return False
        self._holdings.started(owned)
        stored = "nothing is stored" if owned.stored is None else f"stored up to {owned.stored}"
        log.info("%s/%d: reading from %d, %s", *partition, begin, stored)
        if wanted is not None and begin > wanted:
            self._note_gap(owned, wanted, begin)
        return True

    def _put_aside(self, owned: Owned, asked_at: float, error: RecoverableError) -> None:
        """Ask again later: the longer the log was waited for, the longer others come first."""
        now = self._outside.clock.monotonic()
        owned.failures += 1
        place = RecoverableError("{}/{}: {}".format(*owned.partition, error))
        wait = self._patience.failed("source", owned.failures, place)
        self._holdings.start_at(owned.partition, now + wait)
        self._retry_at = now + (now - asked_at) / self._outside.policy.start_share

    def _begin_anew(self, owned: Owned, ends: LogEnds) -> None:
        """Give up what is known of a log that is another one now, and claim it as a new one."""
        partition, reached = owned.partition, owned.reached
        log.error(
            "%s/%d: the log ends at %d, but was read up to %d: it was cut, or the topic was made "
            "anew; its clients begin blank, and all that it holds is read as new, from %d on",
            *partition, ends.end, reached, ends.first,
        )  # fmt: skip
        gap = LogGap(partition, reached, ends.first, self._outside.clock.now())

        def forget(there: Transaction) -> bool:
            there.partitions.rewind(owned.work.ownership)
            there.snapshots.clear(partition)
            there.partitions.note_gap(gap)
            return True

        if self._patience.alone(owned, partial(self._patience.once, forget)):
            self._outside.metrics.log_gaps.inc()
            self._outside.metrics.states_lost.inc()
            self._holdings.claim_at(partition, self._outside.clock.monotonic())
        elif self._holdings.has(owned):
            # A stop came. Whether it was given up or not, nothing may be stored of it any more.
            self._holdings.forget(partition)

    def _note_gap(self, owned: Owned, wanted: int, begin: int) -> None:
        """Say loudly, and keep, that the log did not hold the position that was asked for."""
        self._outside.metrics.log_gaps.inc()
        log.error(
            "%s/%d: the log does not hold position %d any more; going on at %d",
            *owned.partition, wanted, begin,
        )  # fmt: skip
        gap = owned.skip(wanted, begin, self._outside.clock.now())
        if gap is not None:
            note = partial(self._patience.once, lambda there: there.partitions.note_gap(gap))
            self._patience.alone(owned, note)

    def watch(self) -> None:
        """Let partitions be started anew that stand still though there is something to read."""
        now, lag = self._outside.clock.monotonic(), self._outside.source.lag()
        self._outside.metrics.lag.set(sum(lag.values()))
        for partition, owned in self._holdings.owned.items():
            if owned.stands_still(lag.get(partition, 0), now, self._outside.policy):
                owned.still = True
                self._holdings.start_at(partition, now)

    def _stalls(self, owned: Owned, ends: LogEnds) -> bool:
        """Whether a partition that stands still could be read: no open transaction holds it up."""
        if not ends.unread:
            return False
        self._outside.metrics.stalls.inc()
        still = self._outside.clock.monotonic() - owned.moved_at
        log.error(
            "%s/%d: %d records to read and none came for %.0f s; seeking %s anew",
            *owned.partition, ends.unread, still, owned.position,
        )  # fmt: skip
        return True
