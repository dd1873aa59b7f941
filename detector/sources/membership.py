"""What a consumer group gave and took, passed from its callbacks to the thread that polls."""

import time
from collections.abc import Iterable, Iterator
from queue import Empty, SimpleQueue

from detector.events.record import Partition

_STEP_S = 0.1
"""So long at most a change waits until the thread that polls sees it."""


def steps(timeout_s: float) -> Iterator[float]:
    """Yield the waits, at least one, that a wait is taken in; seconds."""
    until = time.monotonic() + timeout_s
    while True:
        left = max(until - time.monotonic(), 0.0)
        yield min(left, _STEP_S)
        if left <= _STEP_S:
            return


class Membership:
    """A queue of gifts and takings; any thread may put in, one takes out."""

    def __init__(self) -> None:
        self._events: SimpleQueue[tuple[bool, list[Partition]]] = SimpleQueue()

    def given(self, partitions: Iterable[Partition]) -> None:
        """Note new partitions."""
        self._events.put((True, list(partitions)))

    def taken(self, partitions: Iterable[Partition]) -> None:
        """Note what is gone."""
        self._events.put((False, list(partitions)))

    def changed(self) -> bool:
        """Whether there is anything to take out."""
        return not self._events.empty()

    def changes(self) -> tuple[tuple[Partition, ...], tuple[Partition, ...]]:
        """Return what was assigned and revoked since; one taken and given back is in both."""
        assigned: list[Partition] = []
        revoked: list[Partition] = []
        while True:
            try:
                given, partitions = self._events.get_nowait()
            except Empty:
                return tuple(assigned), tuple(revoked)
            if given:
                assigned += partitions
            else:
                assigned = [one for one in assigned if one not in partitions]
                revoked += partitions
