"""Which row of the table belongs to which client, and who leaves when there are too many.

Newcomers earn their place: while room is short, clients that have shown little leave before those
that are established, so that a flood of made-up ids turns over among itself. A share of the rows
always stays open to newcomers, or nobody new could ever become established. Everything here depends
on the order of the events alone, never on how they were cut into batches.
"""

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EVICTED_SHARE = 16
"""One row in so many is freed at a time, and as many at least are left to newcomers."""

SETTLING = 1000

NEWCOMER, ESTABLISHED, SUSPECT = range(3)

_STRANGER = -1


class Tally(NamedTuple):
    """Counts over the life of the rows.

    Attributes:
        events: How many events were assigned a row.
        admitted: How many ids were given one, those that came back after leaving included.
        settled: The least share of new ids among all events so far, measured whenever an id came
            after the first `SETTLING` events; 1 before.
        events_then, admitted_then: The first two when room was last made by sending clients away.
    """

    events: int = 0
    admitted: int = 0
    settled: float = 1.0
    events_then: int = 0
    admitted_then: int = 0


class Held(NamedTuple):
    """What the rows know about themselves, to be kept over a restart.

    Attributes:
        ids: (capacity,) the client of each row, "" for a free one.
        seen: (capacity,) int64, the ordinal of each client's latest event.
        tally: What was counted.
    """

    ids: list[str]
    seen: NDArray[np.int64]
    tally: Tally


class Left(NamedTuple):
    """What it took to make room once.

    Attributes:
        newcomers: How many clients left that had not become established.
        established: How many left that had.
        events: How many events came since room was made before.
        admitted: How many new ids were among them.
        settled: The least share of new ids that there ever was, as in `Tally`.
    """

    newcomers: int
    established: int
    events: int
    admitted: int
    settled: float


class ClientRows:
    """Gives rows to client ids, at most `limit`.

    `grow` is called with a new capacity, `clear` with each row that is to be blanked because its
    client has left, `rank` returns the standing (capacity,) of every row's client (`NEWCOMER`,
    `ESTABLISHED` or `SUSPECT`), and `idle` which rows (capacity,) have been silent for so long that
    they may go before anything grows.
    """

    def __init__(
        self,
        capacity: int,
        limit: int,
        grow: Callable[[int], None],
        clear: Callable[[int], None],
        rank: Callable[[], NDArray[np.int64]],
        idle: Callable[[], NDArray[np.bool_]],
    ) -> None:
        self._capacity = capacity
        self._limit = limit
        self._grow = grow
        self._clear = clear
        self._rank = rank
        self._idle = idle
        self._rows: dict[str, int] = {}
        self._free = list(range(capacity))[::-1]
        self._seen = np.zeros(capacity, dtype=np.int64)
        self._tally = Tally()
        self._left: list[Left] = []

    def __len__(self) -> int:
        """Return how many clients hold a row."""
        return len(self._rows)

    @property
    def tally(self) -> Tally:
        """What was counted so far."""
        return self._tally

    def get(self, client_id: str) -> int | None:
        """Return the client's row without giving one."""
        return self._rows.get(client_id)

    def assign(self, client_ids: Sequence[str]) -> NDArray[np.int64]:
        """Return rows for the first clients, up to the one for whom somebody has to leave.

        That one and those behind it must be asked for again, once the events of those before are
        taken in: who leaves depends on them. The first client always gets a row.
        """
        rows = np.fromiter(map(self._rows.get, client_ids, repeat(_STRANGER)), np.int64)
        if rows.min(initial=0) == _STRANGER:
            rows = np.array(self._admit(client_ids), dtype=np.int64)
        # Of a client with several events the last one stands: numpy assigns in order.
        first = self._tally.events + 1
        self._seen[rows] = np.arange(first, first + len(rows))
        self._tally = self._tally._replace(events=self._tally.events + len(rows))
        return rows

    def _admit(self, client_ids: Sequence[str]) -> list[int]:
        rows: list[int] = []
        for client_id in client_ids:
            row = self._rows.get(client_id)
            if row is None:
                if not self._free:
                    if rows:
                        return rows
                    self._make_room()
                row = self._free.pop()
                self._rows[client_id] = row
                self._count(self._tally.events + len(rows))
            rows.append(row)
        return rows

    def _count(self, events: int) -> None:
        """Count a new id that came after so many events."""
        tally = self._tally
        share = tally.admitted / events if events >= SETTLING else 1.0
        self._tally = tally._replace(admitted=tally.admitted + 1, settled=min(tally.settled, share))

    def _make_room(self) -> None:
        silent = np.flatnonzero(self._idle())
        if len(silent) >= max(self._capacity // EVICTED_SHARE, 1):
            self._vacate(silent)
        elif self._capacity < self._limit:
            self._enlarge(min(2 * self._capacity, self._limit))
        else:
            self._vacate(self._leaving())

    def _enlarge(self, capacity: int) -> None:
        self._grow(capacity)
        self._free = list(range(self._capacity, capacity))[::-1]
        self._seen = np.pad(self._seen, (0, capacity - self._capacity))
        self._capacity = capacity

    def _leaving(self) -> NDArray[np.int64]:
        """Return who leaves: the longest unseen newcomers, or established ones if those are few."""
        wanted = max(self._capacity // EVICTED_SHARE, 1)
        rank = self._rank()
        newcomers = int((rank == NEWCOMER).sum())
        if newcomers < wanted:
            # Newcomers keep what little room they have; the longest unseen of the others make more.
            rank = np.where(rank == NEWCOMER, SUSPECT + 1, rank)
        order = np.lexsort((self._seen, rank))[:wanted]
        tally, gone = self._tally, int((rank[order] == NEWCOMER).sum())
        events, admitted = tally.events - tally.events_then, tally.admitted - tally.admitted_then
        self._left.append(Left(gone, len(order) - gone, events, admitted, tally.settled))
        self._tally = tally._replace(events_then=tally.events, admitted_then=tally.admitted)
        return order

    def _vacate(self, leaving: NDArray[np.int64]) -> None:
        gone = set(leaving.tolist())
        self._rows = {name: row for name, row in self._rows.items() if row not in gone}
        for row in gone:
            self._clear(row)
        self._free = sorted(gone, reverse=True)

    def departures(self) -> list[Left]:
        """Return how room was made since the last call."""
        left, self._left = self._left, []
        return left

    def held(self) -> Held:
        """Return what `restore` needs."""
        ids = [""] * self._capacity
        for name, row in self._rows.items():
            ids[row] = name
        return Held(ids, self._seen.copy(), self._tally)

    def restore(self, held: Held) -> None:
        """Take back what `held` returned; the arrays behind the rows are the caller's."""
        self._capacity = len(held.ids)
        self._rows = {name: row for row, name in enumerate(held.ids) if name}
        # Free rows are always those without a client, the lowest one given next.
        self._free = [row for row in range(self._capacity - 1, -1, -1) if not held.ids[row]]
        self._seen = held.seen.copy()
        self._tally = held.tally
