from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.events.model import ModelKey
from detector.reference.fit import MAX_ROWS_A_CLIENT, BenignRows, fit
from detector.reference.newcomers import ROWS_A_GROUP, Newcomers, left_out
from detector.reference.picture import Reference

FIELDS = 8
GROUPS = 8


def rows_of(turned: bool, n: int = 4000) -> NDArray[np.float64]:
    """Eight groups of clients; where one is turned, its fields go together in another way."""
    rng = np.random.default_rng(3)
    mixing = rng.normal(size=(2, FIELDS))
    group = np.arange(n) % GROUPS
    # All stand along the two directions that their fields go together in.
    hidden = 12.0 * rng.normal(size=(GROUPS, 2))[group] + rng.normal(size=(n, 2))
    rows: NDArray[np.float64] = hidden @ mixing + 0.1 * rng.normal(size=(n, FIELDS))
    if turned:
        rows[group == 1] = rows[group == 1][:, ::-1]
    return rows


@cache
def learnt(turned: bool) -> tuple[Reference, NDArray[np.float64], NDArray[np.int64]]:
    cells = rows_of(turned)
    owner = np.arange(len(cells)) % 40
    names = tuple(f"field-{j}" for j in range(FIELDS))
    rows = BenignRows(cells, names, owner, np.full(len(cells), np.nan))
    return fit(ModelKey("acme", "credit"), rows), cells, owner


@cache
def groups(turned: bool) -> list[Newcomers]:
    return list(left_out(*learnt(turned)))


def test_groups_are_distinct_rows_in_a_bounded_number() -> None:
    _, cells, _ = learnt(False)
    assert len(groups(False)) >= 8
    for group in groups(False):
        assert 0 < len(group.rows) <= ROWS_A_GROUP
        assert len(np.unique(cells[group.rows], axis=0)) == len(group.rows)


def test_the_rest_is_learnt_without_the_group() -> None:
    reference, cells, _ = learnt(False)
    beyond = 0
    for group in groups(False):
        knots = group.reference.fields.knots
        assert (knots[:, 0] >= reference.fields.knots[:, 0]).all()
        assert (knots[:, -1] <= reference.fields.knots[:, -1]).all()
        rows = cells[group.rows]
        beyond += bool((rows < knots[:, 0]).any() or (rows > knots[:, -1]).any())
    assert beyond >= 2


def test_a_group_of_another_kind_breaks_what_the_others_keep() -> None:
    def worst(turned: bool) -> float:
        _, cells, _ = learnt(turned)
        return max(
            float((group.reference.judge(cells[group.rows])[1] > 0).mean())
            for group in groups(turned)
        )

    assert worst(turned=True) > 0.5 > worst(turned=False)


def test_leaving_out_is_deterministic() -> None:
    again = list(left_out(*learnt(False)))
    assert [group.rows.tolist() for group in again] == [g.rows.tolist() for g in groups(False)]
    assert [g.reference.digest() for g in again] == [g.reference.digest() for g in groups(False)]


def test_rows_of_one_client_are_no_group() -> None:
    reference, cells, _ = learnt(False)
    whose = np.arange(len(cells)) % GROUPS
    assert not list(left_out(reference, cells, whose))


@pytest.mark.parametrize("same", [1, 3])
def test_rows_that_are_all_alike_make_few_groups_or_none(same: int) -> None:
    reference, cells, owner = learnt(False)
    alike = np.repeat(cells[:same], 300, axis=0)
    few = list(left_out(reference, alike, owner[: len(alike)]))
    assert all(len(group.rows) == 1 for group in few)
    assert len(few) == (0 if same == 1 else 2 * same)


def test_no_client_gives_more_rows_than_a_reference_takes() -> None:
    reference, cells, owner = learnt(False)
    loud = np.where(np.arange(len(owner)) < 3000, 0, owner + 1)
    taken = sum((loud[group.rows] == 0).sum() for group in left_out(reference, cells, loud))
    assert taken <= 2 * MAX_ROWS_A_CLIENT
