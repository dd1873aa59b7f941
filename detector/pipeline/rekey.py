"""Copying a topic so that all events of a client meet in one partition, each once in effect.

The order is: read a batch, write it, have it confirmed, then commit where reading stands. A crash
in between writes some records a second time, in the same order and to the same partitions; each
copy says where it came from, and readers drop what does not lie beyond what they have
(`duplicates.py`).
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from detector.events.decode import Decoder
from detector.events.model import PredictionEvent
from detector.events.record import Partition, Record
from detector.kit.clock import Clock
from detector.kit.errors import DecodeError, RecoverableError
from detector.pipeline.copies import Target, rekeyed
from detector.pipeline.source import Source

log = logging.getLogger(__name__)

BATCH_RECORDS = 2_000
POLL_SECONDS = 0.5
REPORT_SECONDS = 30.0
_RETRY_SECONDS = 1.0

T = TypeVar("T")


@dataclass(slots=True)
class RekeyStats:
    """What was copied so far, confirmed; of that, what does not decode; what waits to be read."""

    copied: int = 0
    undecodable: int = 0
    lag: int = 0


class Rekeying:
    """Copies a source to a target until `stop` is set. `run` may be called once.

    Args:
        source: A group's member that begins where the group's commits stand.
        report: Called after each batch.
    """

    def __init__(
        self,
        source: Source,
        target: Target,
        decoder: Decoder,
        clock: Clock,
        stop: threading.Event,
        report: Callable[[RekeyStats], object] = lambda stats: None,
    ) -> None:
        self._source = source
        self._target = target
        self._decoder = decoder
        self._clock = clock
        self._stop = stop
        self._report = report
        self._unstarted: list[Partition] = []
        self._said_at = clock.monotonic()
        self.stats = RekeyStats()

    def run(self) -> RekeyStats:
        """Copy; closes the source.

        Raises `RecoverableError` when a write is in doubt: nothing may be written behind it, so the
        process has to begin anew, from what is committed.
        """
        try:
            ended = False
            while not (ended or self._stop.is_set()):
                ended = self._round()
        finally:
            self._source.close()
        return self.stats

    def _round(self) -> bool:
        poll = self._ask(lambda: self._source.poll(BATCH_RECORDS, POLL_SECONDS))
        if poll is None:
            return False
        gone = set(poll.revoked)
        self._unstarted = [p for p in self._unstarted if p not in gone] + list(poll.assigned)
        # Before anything else can fail: nobody would bring these records again.
        records = poll.records
        if records:
            self._copy(records)
        self._ask(self._start)
        self._say()
        return poll.ended and not self._unstarted

    def _ask(self, source: Callable[[], T]) -> T | None:
        """Ask something of the source; None, after a wait, when it is unwell."""
        try:
            return source()
        except RecoverableError as error:
            log.warning("source unwell, trying again in %.0f s: %s", _RETRY_SECONDS, error)
            self._clock.wait(self._stop, _RETRY_SECONDS)
            return None

    def _start(self) -> None:
        while self._unstarted:
            partition = self._unstarted[0]
            try:
                self._source.start(partition, None)
            except RecoverableError:
                # The next time the others come first: this one may lack a broker for long.
                self._unstarted.append(self._unstarted.pop(0))
                raise
            self._unstarted.pop(0)

    def _copy(self, records: Sequence[Record]) -> None:
        events = [self._event(record) for record in records]
        pairs = zip(records, events, strict=True)
        self._target.write([rekeyed(record, event) for record, event in pairs])
        self._source.commit({record.partition: record.next_offset for record in records})
        self.stats.copied += len(records)
        self.stats.undecodable += events.count(None)

    def _event(self, record: Record) -> PredictionEvent | None:
        try:
            return self._decoder.decode(record)
        except DecodeError:
            return None

    def _say(self) -> None:
        self.stats.lag = sum(self._source.lag().values())
        self._report(self.stats)
        now = self._clock.monotonic()
        if now - self._said_at >= REPORT_SECONDS:
            self._said_at = now
            log.info("%d records copied, %d of them undecodable, %d to go",
                     self.stats.copied, self.stats.undecodable, self.stats.lag)  # fmt: skip
