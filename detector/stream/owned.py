"""What the loop keeps of each partition that it owns."""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass

from detector.events.record import Partition
from detector.pipeline.partitions import SnapshotInfo
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
        moved_at: When a record last came, or the partition was sought; loop's seconds.
        save_at: Not before then the next snapshot.
        save_took: How long the latest snapshot took, seconds.
        changed: Whether anything came since the last snapshot.
        unstored: Whether the state holds records whose effects are not stored yet.
        held: Whether it is read no more until somebody looks at it.
    """

    work: Work
    budget: LetterBudget
    position: int | None
    moved_at: float
    save_at: float
    save_took: float = 0.0
    changed: bool = False
    unstored: bool = False
    held: bool = False

    @property
    def partition(self) -> Partition:
        """Which one."""
        return self.work.ownership.partition

    def save(self, transaction: Transaction) -> SnapshotInfo | None:
        """Store a snapshot of the state; None before there is any."""
        snapshot = self.work.snapshot()
        if snapshot is None:
            return None
        return transaction.snapshots.save(self.work.ownership, snapshot)

    def saved(self, now: float, took: float, policy: LoopPolicy) -> None:
        """Note a snapshot that took so many seconds."""
        self.changed, self.save_took = False, took
        self.save_at = now + max(policy.snapshot_seconds, took / policy.snapshot_share - took)


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
