import random

from detector.stream.policy import LoopPolicy


def test_waits_double_up_to_the_longest_and_are_jittered() -> None:
    policy = LoopPolicy(first_backoff_seconds=1.0, longest_backoff_seconds=8.0)
    chance = random.Random(1)
    for failures, longest in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (10_000, 8.0)]:
        waits = {policy.backoff(failures, chance) for _ in range(100)}
        assert len(waits) > 1
        assert longest / 2 <= min(waits) <= max(waits) <= longest
