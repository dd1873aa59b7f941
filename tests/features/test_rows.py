from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.features.rows import ClientRows


class Held:
    """Rows together with what they were asked to do."""

    def __init__(self, capacity: int, limit: int) -> None:
        self.capacity = capacity
        self.suspects: set[int] = set()
        self.cleared: list[int] = []
        self.rows = ClientRows(capacity, limit, self._grow, self.cleared.append, self._keep)

    def _grow(self, capacity: int) -> None:
        assert capacity > self.capacity
        self.capacity = capacity

    def _keep(self) -> np.ndarray:
        return np.isin(np.arange(self.capacity), list(self.suspects))

    def assign(self, *clients: str) -> list[int]:
        return [int(row) for row in self.rows.assign(clients)]


def test_a_client_keeps_its_row_and_a_row_has_one_client() -> None:
    held = Held(4, 4)
    first = held.assign("a", "b", "a")
    assert first[0] == first[2] != first[1]
    assert held.assign("b", "a") == [first[1], first[0]]
    assert held.rows.get("a") == first[0]
    assert held.rows.get("stranger") is None
    assert len(held.rows) == 2


def test_rows_grow_up_to_the_limit() -> None:
    held = Held(2, 5)
    for i in range(5):
        held.assign(f"client-{i}")
    assert (held.capacity, len(held.rows)) == (5, 5)


def test_every_row_is_blanked_once_for_each_newcomer() -> None:
    held = Held(2, 2)
    rows = [held.assign(f"client-{i}")[0] for i in range(6)]
    assert held.cleared == rows


def test_the_longest_unseen_leaves_first() -> None:
    held = Held(3, 3)
    for client in ("a", "b", "c", "a"):
        held.assign(client)
    held.assign("d")
    assert held.rows.get("b") is None
    assert held.rows.get("a") is not None


def test_suspects_stay_while_others_can_leave() -> None:
    held = Held(3, 3)
    held.suspects = set(held.assign("suspect"))
    for client in ("b", "c", "d", "e"):
        held.assign(client)
    assert held.rows.get("suspect") is not None
    assert held.rows.get("b") is None


def test_suspects_leave_when_all_are() -> None:
    held = Held(2, 2)
    held.suspects = {0, 1}
    held.assign("a")
    held.assign("b")
    held.assign("c")
    assert held.rows.get("a") is None
    assert len(held.rows) == 2


@pytest.mark.parametrize("limit", [3, 4, 7, 100])
def test_a_batch_that_fits_never_takes_more_rows_than_the_limit(limit: int) -> None:
    held = Held(3, limit)
    held.assign(*(f"client-{i}" for i in range(limit)))
    assert held.capacity <= limit
    assert len(held.rows) == limit


def test_no_client_of_a_batch_leaves_during_it_even_over_the_limit() -> None:
    held = Held(2, 4)
    names = [f"client-{i}" for i in range(11)]
    rows = held.assign(*names, *names)
    assert rows[:11] == rows[11:]
    assert len(set(rows)) == 11


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=6), max_size=40))
@settings(max_examples=60, deadline=None)
def test_clients_of_a_batch_have_rows_of_their_own(batches: Sequence[Sequence[int]]) -> None:
    held = Held(2, 6)
    for batch in batches:
        names = [str(number) for number in batch]
        rows = held.assign(*names)
        owner = dict(zip(rows, names, strict=True))
        assert [owner[row] for row in rows] == names
        assert all(held.rows.get(name) == row for name, row in zip(names, rows, strict=True))
        assert len(held.rows) <= held.capacity <= 6
