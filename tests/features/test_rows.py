from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.events.names import Names
from detector.features.directory import NOBODY
from detector.features.rows import (
    ESTABLISHED,
    EVICTED_SHARE,
    NEWCOMER,
    SETTLING,
    SUSPECT,
    ClientRows,
    Left,
    Tally,
)


class Table:
    """Rows together with what they were asked to do; `names` of some standing are given."""

    def __init__(self, capacity: int, limit: int) -> None:
        self.capacity = capacity
        self.standing: dict[str, int] = {}
        self.idle: set[str] = set()
        self.cleared: list[int] = []
        self.rows = ClientRows(capacity, limit, self._grow, self._blank, self._rank, self._idle)

    def _blank(self, rows: np.ndarray) -> None:
        self.cleared += rows.tolist()

    def _grow(self, capacity: int) -> None:
        assert capacity > self.capacity
        self.capacity = capacity

    def _of(self, names: Sequence[str]) -> list[int]:
        rows = self.rows.find(Names.of(names))
        return [row for row in rows.tolist() if row != NOBODY]

    def _rank(self) -> np.ndarray:
        rank = np.full(self.capacity, NEWCOMER)
        rows = self.rows.find(Names.of(list(self.standing)))
        here = rows != NOBODY
        rank[rows[here]] = np.array(list(self.standing.values()), dtype=np.int64)[here]
        return rank

    def _idle(self) -> np.ndarray:
        return np.isin(np.arange(self.capacity), self._of(sorted(self.idle)))

    def assign(self, *clients: str) -> list[int]:
        """All rows, asked for as often as it takes."""
        rows: list[int] = []
        while len(rows) < len(clients):
            rows += self.rows.assign(Names.of(clients[len(rows) :])).tolist()
        return rows

    def here(self, *clients: str) -> list[bool]:
        return [row != NOBODY for row in self.rows.find(Names.of(clients)).tolist()]


def test_a_client_keeps_its_row_and_a_row_has_one_client() -> None:
    table = Table(4, 4)
    first = table.assign("a", "b", "a")
    assert first[0] == first[2] != first[1]
    assert table.assign("b", "a") == [first[1], first[0]]
    assert table.rows.find(Names.of(["a", "stranger"])).tolist() == [first[0], NOBODY]
    assert len(table.rows) == 2


def test_rows_grow_up_to_the_limit() -> None:
    table = Table(2, 5)
    table.assign(*(f"client-{i}" for i in range(5)))
    assert (table.capacity, len(table.rows)) == (5, 5)


def test_the_row_of_who_leaves_is_blanked_and_given_away() -> None:
    table = Table(2, 2)
    rows = table.assign(*(f"client-{i}" for i in range(6)))
    assert table.cleared == rows[2:]


def test_the_longest_unseen_leaves_first() -> None:
    table = Table(3, 3)
    table.assign("a", "b", "c", "a", "d")
    assert table.here("a", "b", "c", "d") == [True, False, True, True]


def test_rows_are_given_up_to_the_client_for_whom_another_must_leave() -> None:
    table = Table(3, 3)
    assert len(table.rows.assign(Names.of(["a", "b", "a", "c", "d", "a"]))) == 4
    assert len(table.rows.assign(Names.of(["d", "b"]))) == 1, "b had to leave for d"


def test_newcomers_leave_before_the_established_and_those_before_suspects() -> None:
    table = Table(4, 4)
    table.assign("suspect", "known", "new", "newer")
    table.standing = {"suspect": SUSPECT, "known": ESTABLISHED}
    table.assign("x", "y", "z")
    assert table.here("suspect", "known", "new", "newer") == [True, True, False, False]


def test_newcomers_find_room_when_everybody_is_established() -> None:
    table = Table(2, 2)
    table.assign("suspect", "known")
    table.standing = {"suspect": SUSPECT, "known": ESTABLISHED}
    table.assign("new")
    assert table.here("suspect", "known", "new") == [True, False, True]


def test_suspects_leave_when_all_are() -> None:
    table = Table(2, 2)
    table.assign("a", "b")
    table.standing = {"a": SUSPECT, "b": SUSPECT}
    table.assign("c")
    assert table.here("a", "b", "c") == [False, True, True]


def test_who_has_long_been_silent_goes_before_anything_grows() -> None:
    table = Table(2, 8)
    table.assign("a", "b")
    table.idle = {"a"}
    table.assign("c")
    assert (table.capacity, table.here("a", "b", "c")) == (2, [False, True, True])


def test_what_making_room_took_is_told_once() -> None:
    table = Table(2, 2)
    table.assign("a", "b", "a", "c", "c", "d")
    left = table.rows.departures()
    assert [(item.newcomers, item.established) for item in left] == [(1, 0), (1, 0)]
    assert [(item.events, item.admitted) for item in left] == [(3, 2), (2, 1)]
    assert table.rows.departures() == []


@pytest.mark.parametrize("limit", [3, 4, 7, 100])
def test_a_batch_that_fits_never_takes_more_rows_than_the_limit(limit: int) -> None:
    table = Table(3, limit)
    table.assign(*(f"client-{i}" for i in range(limit)))
    assert table.capacity <= limit
    assert len(table.rows) == limit


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.lists(st.integers(1, 199)))
@settings(max_examples=60, deadline=None)
def test_cuts_do_not_matter(clients: Sequence[int], cuts: Sequence[int]) -> None:
    names = [str(number) for number in clients]
    whole, parts = Table(2, 6), Table(2, 6)
    for table in (whole, parts):
        table.standing = {"1": SUSPECT, "2": ESTABLISHED, "3": ESTABLISHED}
    edges = sorted({0, len(names), *(cut for cut in cuts if cut < len(names))})
    rows = whole.assign(*names)
    assert rows == [row for a, b in pairwise(edges)
                    for row in parts.assign(*names[a:b])]  # fmt: skip
    assert whole.rows.held()[0] == parts.rows.held()[0]
    assert whole.rows.tally == parts.rows.tally
    assert len(whole.rows) <= whole.capacity <= 6


@given(st.lists(st.integers(0, 30), max_size=60), st.lists(st.integers(0, 30), max_size=60))
@settings(max_examples=40, deadline=None)
def test_restored_rows_go_on_as_if_nothing_had_happened(
    before: Sequence[int], after: Sequence[int]
) -> None:
    table = Table(2, 6)
    table.assign(*map(str, before))
    other = Table(table.capacity, 6)
    other.rows.restore(table.rows.held())
    assert table.assign(*map(str, after)) == other.assign(*map(str, after))
    assert table.rows.tally == other.rows.tally


class Plain:
    """The same rules in a dictionary, one client after the other."""

    def __init__(self, capacity: int, limit: int, standing: Callable[[str], int]) -> None:
        self.ids, self.seen, self.limit = [""] * capacity, [0] * capacity, limit
        self.standing = standing
        self.rows: dict[str, int] = {}
        self.tally = Tally()
        self.left: list[Left] = []

    def assign(self, client: str) -> int:
        tally = self.tally
        if client not in self.rows:
            if "" not in self.ids:
                self._make_room()
                tally = self.tally
            row = self.ids.index("")
            self.ids[row], self.rows[client] = client, row
            share = tally.admitted / tally.events if tally.events >= SETTLING else 1.0
            settled = min(tally.settled, share)
            tally = tally._replace(admitted=tally.admitted + 1, settled=settled)
        self.tally = tally._replace(events=tally.events + 1)
        row = self.rows[client]
        self.seen[row] = self.tally.events
        return row

    def _make_room(self) -> None:
        capacity = len(self.ids)
        if capacity < self.limit:
            added = min(capacity, self.limit - capacity)
            self.ids += [""] * added
            self.seen += [0] * added
            return
        wanted = max(capacity // EVICTED_SHARE, 1)
        rank = [self.standing(client) for client in self.ids]
        last = SUSPECT + 1 if rank.count(NEWCOMER) < wanted else NEWCOMER
        order = [last if standing == NEWCOMER else standing for standing in rank]
        gone = sorted(range(capacity), key=lambda row: (order[row], self.seen[row]))[:wanted]
        newcomers, tally = [rank[row] for row in gone].count(NEWCOMER), self.tally
        self.left.append(
            Left(
                newcomers, len(gone) - newcomers, tally.events - tally.events_then,
                tally.admitted - tally.admitted_then, tally.settled,
            )
        )  # fmt: skip
        self.tally = tally._replace(events_then=tally.events, admitted_then=tally.admitted)
        for row in gone:
            del self.rows[self.ids[row]]
            self.ids[row] = ""


def standing_of(client: str) -> int:
    """Newcomers for the most part."""
    return {0: SUSPECT, 1: ESTABLISHED}.get(int(client or 2) % 7, NEWCOMER)


@pytest.mark.parametrize("limit", [16, 64, 200])
@pytest.mark.parametrize("seed", range(4))
def test_the_rules_are_those_of_plain_words(limit: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    # First some that come again and again, then a flood.
    names = [*chance.integers(0, 60, 2 * SETTLING), *chance.integers(0, 2_000, 3_000)]
    clients = [str(number) for number in names]
    plain, table = Plain(16, limit, standing_of), Table(16, limit)
    left: list[Left] = []
    begin = 0
    while begin < len(clients):
        for client in set(clients) - table.standing.keys():
            table.standing[client] = standing_of(client)
        cut = clients[begin : begin + int(chance.integers(1, 700))]
        rows = table.rows.assign(Names.of(cut)).tolist()
        left += table.rows.departures()
        assert rows == [plain.assign(client) for client in cut[: len(rows)]]
        ids, seen, tally = table.rows.held()
        assert (ids, seen.tolist(), tally) == (plain.ids, plain.seen, plain.tally)
        begin += len(rows)
        again = Table(table.capacity, limit)
        again.standing = table.standing
        again.rows.restore(table.rows.held())
        table = again
    assert left
    assert left == plain.left
