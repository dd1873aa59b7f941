"""The port through which a log is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from detector.events.record import Partition, Record


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll of a source yields.

    Attributes:
        shares: The records of each partition that has some, in order.
        assigned: Partitions newly given to this reader; they stay paused until `start`ed.
        revoked: Partitions taken away; another owner's epoch refuses what is written for them.
        ended: The source is finite and exhausted.
        astray: Started partitions whose position the log does not hold; they are read no further
            until they are `start`ed again.
    """

    shares: Mapping[Partition, Sequence[Record]] = field(default_factory=dict)
    assigned: tuple[Partition, ...] = ()
    revoked: tuple[Partition, ...] = ()
    ended: bool = False
    astray: tuple[Partition, ...] = ()

    @property
    def count(self) -> int:
        """How many records came."""
        return sum(map(len, self.shares.values()))

    @property
    def records(self) -> Sequence[Record]:
        """The records of all partitions, each made."""
        return [record for share in self.shares.values() for record in share]


@dataclass(frozen=True, slots=True)
class LogEnds:
    """Which offsets of a partition can be read now.

    Attributes:
        first: Of the earliest record that the log holds.
        end: Behind the last record that can be read: what an open transaction holds up lies beyond.
            Where the log is known to have been cut since it was read, not beyond the cut.
        unread: How many offsets lie between what was handed out of a started partition and `end`.
    """

    first: int
    end: int
    unread: int = 0


class Source(Protocol):
    """An ordered, partitioned log of records."""

    def poll(self, max_records: int, timeout_s: float) -> Poll:
        """Return what is there, waiting up to `timeout_s` seconds for the first record."""
        ...

    def ends(self, partition: Partition) -> LogEnds:
        """Ask the log which offsets of an assigned partition can be read now.

        Raises `RecoverableError` when it has not answered after a few seconds.
        """
        ...

    def start(self, partition: Partition, offset: int | None) -> None:
        """Begin an assigned partition at `offset`, or at its earliest record when None.

        A position that the log does not hold is told by a later poll.
        """
        ...

    def pause(self) -> None:
        """Stop fetching from all partitions while staying in the group."""
        ...

    def resume(self) -> None:
        """Undo `pause`."""
        ...

    def hold(self, partition: Partition) -> None:
        """Read no more of one partition until it is `start`ed again."""
        ...

    def lag(self) -> Mapping[Partition, int]:
        """How many records of each started partition are known to be there and were not read."""
        ...

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Publish positions for lag tools; advisory, never what recovery rests on."""
        ...

    def close(self) -> None:
        """Leave the group and release connections."""
        ...
