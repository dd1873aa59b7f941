"""Which row of the table belongs to which client, and who leaves when there are too many.

Newcomers earn their place: while room is short, clients that have shown little leave before those
that are established, so that a flood of made-up ids turns over among itself. A share of the rows
always stays open to newcomers, or nobody new could ever become established. Everything here depends
on the order of the events alone, never on how they were cut into batches.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.events.names import Names
from detector.features.directory import AHEAD, NOBODY, Directory, enter, expect, number_at, place_of
from detector.kit.compiled import borrowing

EVICTED_SHARE = 16
"""One row in so many is freed at a time, and as many at least are left to newcomers."""

SETTLING = 1000

NEWCOMER, ESTABLISHED, SUSPECT = range(3)


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

    `grow` is called with a new capacity, `clear` with the rows that are to be blanked because
    their clients have left, `rank` returns the standing (capacity,) of every row's client
    (`NEWCOMER`, `ESTABLISHED` or `SUSPECT`), and `idle` which rows (capacity,) have been silent for
    so long that they may go before anything grows.
    """

    def __init__(
        self,
        capacity: int,
        limit: int,
        grow: Callable[[int], None],
        clear: Callable[[NDArray[np.int64]], None],
        rank: Callable[[], NDArray[np.int64]],
        idle: Callable[[], NDArray[np.bool_]],
    ) -> None:
        self._capacity = capacity
        self._limit = limit
        self._grow = grow
        self._clear = clear
        self._rank = rank
        self._idle = idle
        self._directory = Directory(capacity)
        self._ids = _no_ids(capacity)
        self._free = _lowest_last(np.arange(capacity))
        self._seen = np.zeros(capacity, dtype=np.int64)
        self._tally = Tally()
        self._left: list[Left] = []

    def __len__(self) -> int:
        """Return how many clients hold a row."""
        return self._capacity - len(self._free)

    @property
    def tally(self) -> Tally:
        """What was counted so far."""
        return self._tally

    def find(self, clients: Names) -> NDArray[np.int64]:
        """Return the clients' rows without giving any, `NOBODY` for who has none."""
        return self._directory.find(clients)

    def assign(self, clients: Names) -> NDArray[np.int64]:
        """Return rows for the first clients, up to the one for whom somebody has to leave.

        That one and those behind it must be asked for again, once the events of those before are
        taken in: who leaves depends on them. The first client always gets a row.
        """
        rows = self._assigned(clients)
        if len(clients) and not len(rows):
            self._make_room()
            rows = self._assigned(clients)
        self._tally = self._tally._replace(events=self._tally.events + len(rows))
        return rows

    def _assigned(self, clients: Names) -> NDArray[np.int64]:
        """Return rows for the first clients, up to the one for whom there is none."""
        rows, new = np.empty((2, len(clients)), dtype=np.int64)
        served, admitted = _assign(
            clients.fingerprints, self._directory.places, self._free, self._seen,
            self._tally.events + 1, rows, new,
        )  # fmt: skip
        if admitted:
            self._admit(clients.take(new[:admitted]), rows[new[:admitted]], new[:admitted])
        return rows[:served]

    def _admit(self, clients: Names, rows: NDArray[np.int64], at: NDArray[np.int64]) -> None:
        """Keep the names of new clients and count them; each came `at` so many events from here."""
        self._free = self._free[: -len(rows)]
        self._ids[rows] = list(clients)
        events, tally = self._tally.events + at, self._tally
        before = tally.admitted + np.arange(len(rows))
        shares = before[events >= SETTLING] / events[events >= SETTLING]
        settled = min(tally.settled, float(shares.min(initial=1.0)))
        self._tally = tally._replace(admitted=tally.admitted + len(rows), settled=settled)

    def _make_room(self) -> None:
        silent = np.flatnonzero(self._idle())
        if len(silent) >= max(self._capacity // EVICTED_SHARE, 1):
            self._vacate(silent)
        elif self._capacity < self._limit:
            self._enlarge(min(2 * self._capacity, self._limit))
        else:
            self._vacate(self._leaving())

    def _enlarge(self, capacity: int) -> None:
        added = capacity - self._capacity
        self._grow(capacity)
        self._directory.enlarge(capacity)
        self._free = _lowest_last(np.arange(self._capacity, capacity))
        self._ids = np.concatenate([self._ids, _no_ids(added)])
        self._seen = np.pad(self._seen, (0, added))
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
        gone = np.zeros(self._capacity, dtype=np.bool_)
        gone[leaving] = True
        self._directory.drop(gone)
        self._ids[leaving] = ""
        self._clear(leaving)
        self._free = _lowest_last(np.flatnonzero(gone))

    def departures(self) -> list[Left]:
        """Return how room was made since the last call."""
        left, self._left = self._left, []
        return left

    def held(self) -> Held:
        """Return what `restore` needs."""
        return Held(self._ids.tolist(), self._seen.copy(), self._tally)

    def restore(self, held: Held) -> None:
        """Take back what `held` returned; the arrays behind the rows are the caller's."""
        self._capacity = len(held.ids)
        self._ids = np.array(held.ids, dtype=object)
        taken = self._ids != ""
        rows = np.flatnonzero(taken)
        self._directory = Directory(self._capacity)
        self._directory.put(Names.of(self._ids[rows].tolist()), rows)
        # Free rows are always those without a client, the lowest one given next.
        self._free = _lowest_last(np.flatnonzero(~taken))
        self._seen = held.seen.copy()
        self._tally = held.tally


def _no_ids(rows: int) -> NDArray[np.object_]:
    return np.full(rows, "", dtype=object)


def _lowest_last(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.ascontiguousarray(rows[::-1])


@borrowing
def _assign(
    prints: Any, places: Any, free: Any, seen: Any, ordinal: Any, rows: Any, new: Any
) -> tuple[int, int]:
    """Write the `rows` of clients until no row is free, and which of these are `new`.

    `ordinal` is the first one's, noted in `seen`. Returns how many rows and new clients there are.
    """
    admitted = 0
    for i in range(len(prints)):
        expect(places, prints[min(i + AHEAD, len(prints) - 1), 0])
        first, second = prints[i, 0], prints[i, 1]
        at = place_of(places, first, second)
        row = number_at(places, at)
        if row == NOBODY:
            if admitted == len(free):
                return i, admitted
            row = free[len(free) - 1 - admitted]
            enter(places, at, first, second, row)
            new[admitted] = i
            admitted += 1
        rows[i] = row
        seen[row] = ordinal + i
    return len(prints), admitted
