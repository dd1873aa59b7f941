"""How the loop paces itself."""

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoopPolicy:
    """Sizes and waits.

    Attributes:
        batch_records: Most records taken at one poll.
        poll_seconds: Longest wait for the first record; a stop is noticed within it.
        first_backoff_seconds: Wait after the first failure; it doubles with each further one.
        longest_backoff_seconds: Where the doubling ends.
        snapshot_seconds: Least time between two snapshots of a partition; infinite for none.
        snapshot_share: Most of the time that snapshots may take: after one that took long the
            next waits longer.
        refresh_seconds: Time between two looks for newly activated references.
        parting_seconds: All the time there is for last snapshots when partitions are taken away
            or the process is to stop; what is not stored by then is read again.
        stall_seconds: A partition with records to read that has stood still for so long is sought
            anew.
        start_share: Most of the time that may go into asking again for partitions whose part of
            the log does not answer: after one that took long the next waits longer.
        reclaim_seconds: A partition that another worker claimed, and that the group has not taken
            away after so long, is claimed back. None where no group gives partitions away: then
            another run reads the same log, and this one ends with an error.
        letter_share: Share of dead letters among the latest `letter_window` records of a partition
            above which it is held; 1 for never.
        letter_window: See `letter_share`.
    """

    batch_records: int = 4_000
    poll_seconds: float = 0.5
    first_backoff_seconds: float = 0.1
    longest_backoff_seconds: float = 15.0
    snapshot_seconds: float = 5.0
    snapshot_share: float = 0.05
    refresh_seconds: float = 10.0
    parting_seconds: float = 3.0
    stall_seconds: float = 30.0
    start_share: float = 0.2
    reclaim_seconds: float | None = 10.0
    letter_share: float = 0.5
    letter_window: int = 1_000

    @property
    def keeps_state(self) -> bool:
        """Whether snapshots are taken at all."""
        return math.isfinite(self.snapshot_seconds)

    def backoff(self, failures: int, chance: random.Random) -> float:
        """Seconds to wait after so many failures (from 1) in a row, the upper half jittered."""
        doublings = min(failures - 1, 30)
        longest = min(self.first_backoff_seconds * 2.0**doublings, self.longest_backoff_seconds)
        return longest * chance.uniform(0.5, 1.0)
