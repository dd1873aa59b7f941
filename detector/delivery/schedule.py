"""When a failed delivery is tried again."""

import random
from dataclasses import dataclass
from datetime import timedelta

MINUTE, HOUR = 60.0, 3600.0
LONGEST_RETRY_AFTER = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """Waiting times before each attempt, as the Standard Webhooks specification recommends.

    Attributes:
        delays_s: Seconds before the first, second, … attempt; their number bounds the attempts.
        jitter: Each delay is stretched by a random share of up to this much, so that messages
            that failed together do not come back together. It never shortens a delay.
    """

    delays_s: tuple[float, ...] = (
        0.0,
        5.0,
        5 * MINUTE,
        30 * MINUTE,
        2 * HOUR,
        5 * HOUR,
        10 * HOUR,
        14 * HOUR,
        20 * HOUR,
        24 * HOUR,
    )
    jitter: float = 0.1

    def delay(
        self, attempts: int, retry_after_s: float | None, rng: random.Random
    ) -> timedelta | None:
        """Return how long to wait after `attempts` (≥ 1) failures; None when none is left.

        A destination's Retry-After lengthens the wait, up to 24 hours, and never shortens it.
        """
        if attempts >= len(self.delays_s):
            return None
        wait = timedelta(seconds=self.delays_s[attempts] * (1 + rng.uniform(0, self.jitter)))
        asked = min(max(retry_after_s or 0.0, 0.0), LONGEST_RETRY_AFTER.total_seconds())
        return max(wait, timedelta(seconds=asked))
