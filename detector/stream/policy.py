"""How the loop paces itself."""

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
    """

    batch_records: int = 2_000
    poll_seconds: float = 0.5
    first_backoff_seconds: float = 0.1
    longest_backoff_seconds: float = 15.0

    def backoff(self, failures: int, chance: random.Random) -> float:
        """Seconds to wait after so many failures (from 1) in a row, the upper half jittered."""
        doublings = min(failures - 1, 30)
        longest = min(self.first_backoff_seconds * 2.0**doublings, self.longest_backoff_seconds)
        return longest * chance.uniform(0.5, 1.0)
