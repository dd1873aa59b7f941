"""What a consumer group gave and took, passed from its callbacks to the thread that polls."""

from collections.abc import Iterable
from queue import Empty, SimpleQueue

from detector.events.record import Partition


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
