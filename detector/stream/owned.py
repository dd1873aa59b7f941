"""What the loop keeps of each partition that it owns."""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

from detector.events.record import Partition
from detector.pipeline.partitions import LogGap, SnapshotInfo
from detector.pipeline.ports import Transaction
from detector.pipeline.process import Outcome, Work
from detector.stream.policy import LoopPolicy


class LetterBudget:
    """Tells when too many of a partition's latest records were unusable.

    Something is wrong with the log then, not with single records: going on would fill the dead
    letters with it, and let whoever can spoil records hide behind them.
    """

    def __init__(self, share: float, window: int) -> None:
        self._share = share
        self._window = window
        self._batches: deque[tuple[int, int]] = deque()
        self._records = self._letters = 0

    def spent(self, records: int, letters: int) -> bool:
        """Count a stored batch; true when the share is above the budget."""
        self._batches.append((records, letters))
        self._records += records
        self._letters += letters
        while self._records - self._batches[0][0] >= self._window:
            old_records, old_letters = self._batches.popleft()
            self._records -= old_records
            self._letters -= old_letters
        enough = self._records >= self._window
        return self._share < 1.0 and enough and self._letters > self._share * self._records


@dataclass(slots=True)
class Owned:
    """A claimed partition.

    Attributes:
        work: Its detection.
        budget: Of dead letters.
        position: Where reading stands: the record that comes next, None before the first.
        stored: Everything before it is stored or known to be missing, None when nothing is.
        moved_at: When a record last came, or the partition was sought; loop's seconds.
        save_at: Not before then the next snapshot.
        save_took: How long the latest snapshot took, seconds.
        changed: Whether anything came since the last snapshot.
        unstored: Whether the state holds records whose effects are not stored yet.
        held: Whether it is read no more until somebody looks at it.
        still: Whether it is to be started anew because it stands still.
        failures: How often in a row it could not be started.
    """

    work: Work
    budget: LetterBudget
    position: int | None
    stored: int | None
    moved_at: float
    save_at: float
    save_took: float = 0.0
    changed: bool = False
    unstored: bool = False
    held: bool = False
    still: bool = False
    failures: int = 0

    @classmethod
    def claimed(cls, work: Work, now: float, policy: LoopPolicy) -> "Owned":
        """A partition of which nothing has been read."""
        budget = LetterBudget(policy.letter_share, policy.letter_window)
        save_at = now + policy.snapshot_seconds
        return cls(work, budget, work.start, work.ownership.next_offset, now, save_at)

    @property
    def partition(self) -> Partition:
        """Which one."""
        return self.work.ownership.partition

    @property
    def reached(self) -> int:
        """What the log must still reach to be the one that was read: state or effects do."""
        return max(self.position or 0, self.stored or 0)

    def skip(self, wanted: int, begin: int, noticed_at: datetime) -> LogGap | None:
        """Go on behind records that the log has lost; returns what it lacks.

        None when all of that was stored: only the clients' state lacks some records.
        """
        self.position, stored = begin, self.stored
        if stored is not None and begin <= stored:
            return None
        self.stored = begin
        return LogGap(self.partition, wanted if stored is None else stored, begin, noticed_at)

    def stands_still(self, lag: int, now: float, policy: LoopPolicy) -> bool:
        """Whether nothing came for long though there seems to be something to read."""
        if self.held or self.still:
            return False
        return lag > 0 and now - self.moved_at >= policy.stall_seconds

    def save(self, transaction: Transaction) -> SnapshotInfo | None:
        """Store a snapshot of the state; None before there is any."""
        snapshot = self.work.snapshot()
        if snapshot is None:
            return None
        return transaction.snapshots.save(self.work.ownership, snapshot)

    def saved(self, now: float, took: float, policy: LoopPolicy, partitions: int) -> None:
        """Note a snapshot that took so many seconds, and set the time of the next by that.

        All partitions are saved in one thread, so each of so many has its part of the share.
        """
        self.changed, self.save_took = False, took
        wait = took * partitions / policy.snapshot_share - took
        self.save_at = now + max(policy.snapshot_seconds, wait)


@dataclass(frozen=True, slots=True)
class Writing:
    """A batch on its way into the database.

    Attributes:
        owned: The partition that it came from.
        outcome: What is written.
        began: When the batch was taken in; loop's seconds.
        done: The first attempt; its result is when that was stored, loop's seconds.
    """

    owned: Owned
    outcome: Outcome
    began: float
    done: Future[float]
