from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.events.batch import category_code
from detector.events.model import ModelKey
from detector.reference.fit import MAX_ROWS_A_CLIENT, BenignRows, fit
from detector.reference.newcomers import NOISE, ROWS_A_GROUP, Newcomers, newcomers
from detector.reference.picture import Reference

MODEL = ModelKey("acme", "credit")
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
    return fit(MODEL, rows), cells, owner


@cache
def groups(turned: bool) -> list[Newcomers]:
    """Groups that were left out."""
    return made(turned)[: -len(NOISE)]


@cache
def made(turned: bool) -> list[Newcomers]:
    return list(newcomers(*learnt(turned)))


def test_groups_are_distinct_rows_in_a_bounded_number() -> None:
    _, cells, _ = learnt(False)
    assert len(groups(False)) >= 8
    for group in groups(False):
        assert 0 < len(group.rows) <= ROWS_A_GROUP
        np.testing.assert_array_equal(group.cells, cells[group.rows])
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


def test_making_them_is_deterministic() -> None:
    for one, other in zip(newcomers(*learnt(False)), made(False), strict=True):
        np.testing.assert_array_equal(one.cells, other.cells)
        assert one.reference.digest() == other.reference.digest()


def test_rows_of_one_client_are_no_group() -> None:
    reference, cells, _ = learnt(False)
    whose = np.arange(len(cells)) % GROUPS
    assert len(list(newcomers(reference, cells, whose))) == len(NOISE)


def test_texts_that_are_all_different_make_no_groups_and_no_trouble() -> None:
    texts = np.array([[category_code(f"{field} {row}") for field in "ab"] for row in range(800)])
    owner = np.arange(800) % 40
    reference = fit(MODEL, BenignRows(texts, ("a", "b"), owner, np.full(800, np.nan)))
    assert len(list(newcomers(reference, texts, owner))) == len(NOISE)


@pytest.mark.parametrize("same", [1, 3])
def test_rows_that_are_all_alike_make_few_groups_or_none(same: int) -> None:
    reference, cells, owner = learnt(False)
    alike = np.repeat(cells[:same], 300, axis=0)
    few = list(newcomers(reference, alike, owner[: len(alike)]))[: -len(NOISE)]
    assert all(len(group.rows) == 1 for group in few)
    assert len(few) == (0 if same == 1 else 2 * same)


def test_no_client_gives_more_rows_than_a_reference_takes() -> None:
    reference, cells, owner = learnt(False)
    loud = np.where(np.arange(len(owner)) < 3000, 0, owner + 1)
    *parts, _, _, _ = newcomers(reference, cells, loud)
    assert sum((loud[group.rows] == 0).sum() for group in parts) <= 2 * MAX_ROWS_A_CLIENT


class TestNoise:
    """A client that measures less exactly than all others."""

    def noisy(self) -> list[Newcomers]:
        return made(False)[-len(NOISE) :]

    def test_breaks_close_relations_the_more_the_larger_it_is(self) -> None:
        shares = [(group.reference.judge(group.cells)[1] > 0).mean() for group in self.noisy()]
        assert 0.0 < shares[0] < shares[1] < shares[2]

    def test_is_of_the_size_that_is_said(self) -> None:
        reference, cells, _ = learnt(False)
        for size, group in zip(NOISE, self.noisy(), strict=True):
            moved = (group.cells - cells[group.rows]) / reference.fields.scale
            assert np.median(np.abs(moved)) == pytest.approx(0.6745 * size, rel=0.2)

    def test_keeps_ranges_grids_categories_and_gaps(self) -> None:
        rng = np.random.default_rng(5)
        counted, shared = rng.integers(20, 60, 900), rng.integers(0, 17, 900) / 16
        named = rng.choice([category_code("red"), category_code("blue")], 900)
        gapped = np.where(rng.random(900) < 0.2, np.nan, rng.normal(size=900))
        cells = np.column_stack([counted, shared, named, gapped]).astype(np.float64)
        owner = np.arange(900) % 30
        names = ("count", "share", "name", "gap")
        reference = fit(MODEL, BenignRows(cells, names, owner, np.full(900, np.nan)))
        for group in list(newcomers(reference, cells, owner))[-len(NOISE) :]:
            before, after = cells[group.rows], group.cells
            np.testing.assert_array_equal(after[:, 0], np.round(after[:, 0]))
            np.testing.assert_allclose(after[:, 1] * 16, np.round(after[:, 1] * 16), atol=1e-9)
            np.testing.assert_array_equal(after[:, 2], before[:, 2])
            np.testing.assert_array_equal(np.isnan(after[:, 3]), np.isnan(before[:, 3]))
            assert 20 <= after[:, 0].min() <= after[:, 0].max() <= 59
            assert (after[:, 0] != before[:, 0]).any()
