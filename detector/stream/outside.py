"""Everything that the loop's parts meet, and how they pace themselves."""

import random
import threading
from dataclasses import dataclass

from detector.kit.clock import Clock
from detector.kit.metrics import StreamMetrics
from detector.pipeline.ports import Store
from detector.pipeline.source import Source
from detector.stream.policy import LoopPolicy


@dataclass(frozen=True, slots=True)
class Outside:
    """What a loop works with.

    Attributes:
        source: The log.
        store: The database.
        clock: What time it is, and how to wait.
        metrics: Where everything is counted.
        stop: Set when the loop is to end.
        policy: Sizes and waits.
        chance: Jitter that keeps workers from retrying in step; nothing stored depends on it.
    """

    source: Source
    store: Store
    clock: Clock
    metrics: StreamMetrics
    stop: threading.Event
    policy: LoopPolicy
    chance: random.Random
