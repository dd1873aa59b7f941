"""Asking the log and the database again and again while they are unwell."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from detector.kit.errors import ConflictError, RecoverableError, StaleEpochError
from detector.pipeline.ports import Transaction
from detector.pipeline.source import Poll
from detector.stream.holdings import Holdings
from detector.stream.outside import Outside
from detector.stream.owned import Owned

log = logging.getLogger(__name__)

T = TypeVar("T")


class Patience:
    """Repeats what fails for a while; the source is polled meanwhile, which keeps its place."""

    def __init__(self, outside: Outside, holdings: Holdings) -> None:
        self._outside = outside
        self._holdings = holdings

    def ask(self, seconds: float) -> Poll:
        """Poll once, waiting so long for the first record; raises `RecoverableError`."""
        outside = self._outside
        outside.metrics.heartbeat.set(outside.clock.now().timestamp())
        return outside.source.poll(outside.policy.batch_records, seconds)

    def once(self, work: Callable[[Transaction], T]) -> T:
        """Do work in one transaction."""
        with self._outside.store.transaction() as transaction:
            return work(transaction)

    def failed(self, port: str, failures: int, error: RecoverableError) -> float:
        """Note a failure; returns the seconds to wait before the next attempt."""
        self._outside.metrics.retries.labels(port).inc()
        seconds = self._outside.policy.backoff(failures, self._outside.chance)
        log.warning("%s unwell, trying again in %.1f s: %s", port, seconds, error)
        return seconds

    def alone(
        self, owned: Owned, work: Callable[[], T], begun: Future[T] | None = None
    ) -> T | None:
        """Do work that is the owner's alone; None when the partition is lost or a stop came.

        Raises `ConflictError` where nobody but another run can have taken the partition.
        """
        try:
            return self.transact(work, lambda: self._holdings.has(owned), begun)
        except StaleEpochError as error:
            self._outside.metrics.partitions_lost.inc()
            log.warning("%s/%d: another worker owns it now", *owned.partition)
            self._lose(owned, error)
            return None

    def _lose(self, owned: Owned, error: StaleEpochError) -> None:
        wait = self._outside.policy.reclaim_seconds
        if wait is None:
            raise ConflictError(
                f"{owned.partition.topic}: another run reads it into the same database, and what "
                "this one has read of it since is not stored; let one of them end first"
            ) from error
        # Mostly the group takes it away at the next poll. If it does not, then the other one was
        # late: it claimed what it no longer had, and nobody would read the partition.
        if self._holdings.has(owned):
            self._holdings.claim_at(owned.partition, self._outside.clock.monotonic() + wait)

    def transact(
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
                        self._outside.source.pause()
                    failures += 1
                    self._wait_in_group(self.failed("store", failures, error))
                if self._outside.stop.is_set() or not wanted():
                    return None
        finally:
            if failures:
                self._outside.source.resume()

    def _wait_in_group(self, seconds: float) -> None:
        """Wait while polling the paused source, which yields no records but keeps its place."""
        clock, stop = self._outside.clock, self._outside.stop
        until = clock.monotonic() + seconds
        while (left := until - clock.monotonic()) > 0 and not stop.is_set():
            try:
                self._holdings.take(self.ask(0.0))
            except RecoverableError as error:
                self.failed("source", 1, error)
            clock.wait(stop, min(left, self._outside.policy.poll_seconds))
