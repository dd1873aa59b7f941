from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.events.batch import category_code
from detector.reference.fields import fit_fields
from detector.reference.habits import CLIENTS, COHORTS, ONE_RECORD, QUERIES, Habit, habits
from detector.reference.samples import points

FIELDS = 5
OWNERS = np.arange(2000) % 25


@cache
def cells() -> NDArray[np.float64]:
    rng = np.random.default_rng(2)
    texts = rng.choice([category_code(text) for text in "abc"], len(OWNERS))
    gappy = np.where(rng.random(len(OWNERS)) < 0.1, np.nan, rng.integers(0, 9, len(OWNERS)))
    constant = np.full(len(OWNERS), 7.0)
    return np.column_stack([rng.normal(size=(len(OWNERS), 2)), texts, gappy, constant])


def habits_of(rows: NDArray[np.float64], owner: NDArray[np.int64]) -> list[Habit]:
    return list(habits(fit_fields(rows), rows, owner))


@cache
def made() -> list[Habit]:
    return habits_of(cells(), OWNERS)


def same(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which cells are equal; gaps are."""
    alike: NDArray[np.bool_] = (left == right) | (np.isnan(left) & np.isnan(right))
    return alike


def test_every_habit_has_clients_of_as_many_queries() -> None:
    assert len(made()) == len(COHORTS) + 3
    for habit in made():
        np.testing.assert_array_equal(np.bincount(habit.owner), np.full(CLIENTS, QUERIES))
        assert habit.cells.shape == (CLIENTS * QUERIES, FIELDS)


def test_changed_is_what_differs_from_its_row() -> None:
    for habit in made():
        if habit.changed.all():
            continue
        as_they_are = np.all(same(habit.cells, cells()[habit.rows]), axis=1).astype(np.bool_)
        assert as_they_are[~habit.changed].all()
        # Another value may come out as the record's own by chance.
        assert as_they_are[habit.changed].mean() < 0.1 if habit.changed.any() else True


@pytest.mark.parametrize(("number", "size"), list(enumerate(COHORTS)))
def test_a_cohort_is_a_neighbourhood(number: int, size: int) -> None:
    habit = made()[number]
    assert not habit.changed.any()
    places = points(cells())
    apart = np.linalg.norm(places[habit.rows[:, None]] - places[habit.rows[:1]], axis=2)
    for client in range(CLIENTS):
        rows = habit.rows[habit.owner == client]
        assert 0.6 * min(size, QUERIES) < len(np.unique(rows)) <= size
        spread = np.linalg.norm(places[rows] - places[rows].mean(axis=0), axis=1).mean()
        assert spread < 0.8 * apart.mean()


@pytest.mark.parametrize("most", [1, 2])
def test_tries_change_so_many_fields_of_something_asked_before(most: int) -> None:
    habit = made()[len(COHORTS) + most - 1]
    assert 0.4 < habit.changed.mean() < 0.95
    for client in range(CLIENTS):
        sent = habit.cells[habit.owner == client]
        fields = set()
        for i in np.flatnonzero(habit.changed[habit.owner == client]):
            differ = ~same(sent[:i], sent[i])
            nearest = differ[differ.sum(axis=1).argmin()]
            assert nearest.sum() <= most
            fields.update(np.flatnonzero(nearest).tolist())
        assert FIELDS - 1 not in fields
        if most == 1:
            before = ~same(sent[1:], sent[:-1])
            assert len(np.flatnonzero(before[habit.changed[habit.owner == client][1:]].any(0))) <= 1


@pytest.mark.parametrize("most", [1, 2])
def test_some_have_but_one_record_that_never_changes_but_in_few_fields(most: int) -> None:
    habit = made()[len(COHORTS) + most - 1]
    for client in range(0, CLIENTS, ONE_RECORD):
        mine = habit.owner == client
        sent = habit.cells[mine]
        assert habit.changed[mine][1:].all()
        differ = ~same(sent, sent[0]).all(axis=0)
        assert 1 <= differ.sum() <= most


def test_a_measurement_wanders_on_its_grid_and_within_its_range() -> None:
    habit = made()[-1]
    assert habit.changed.all()
    for client in range(CLIENTS):
        sent = habit.cells[habit.owner == client]
        start = cells()[habit.rows[client * QUERIES]]
        assert same(sent[:, 2], start[2]).all()
        assert np.isnan(sent[:, 3]).all() == np.isnan(start[3])
        assert np.nanmax(np.abs(np.diff(sent[:, :2], axis=0))) < 1.0
    whole = habit.cells[:, 3][~np.isnan(habit.cells[:, 3])]
    assert set(whole) <= set(range(9))
    assert len(set(whole)) > 3
    low, high = cells()[:, :2].min(axis=0), cells()[:, :2].max(axis=0)
    assert (habit.cells[:, :2] >= low - 1e-6).all()
    assert (habit.cells[:, :2] <= high + 1e-6).all()


def test_making_them_is_deterministic() -> None:
    for once, again in zip(made(), habits_of(cells(), OWNERS), strict=True):
        np.testing.assert_array_equal(once.cells, again.cells)
        np.testing.assert_array_equal(once.rows, again.rows)


def test_where_nothing_differs_nobody_tries_values() -> None:
    for habit in habits_of(np.ones((300, 3)), np.arange(300) % 5):
        assert (habit.cells == 1.0).all()


def test_a_neighbourhood_of_one_client_is_no_habit() -> None:
    """Whoever brings many rows of its own to a reference does not make them usual."""
    rng = np.random.default_rng(4)
    own = np.column_stack([np.arange(300) / 3e3, np.full((300, FIELDS - 1), 30.0)])
    owner = np.concatenate([OWNERS, np.full(300, 99)])
    for habit in habits_of(np.vstack([cells(), own])[:, rng.permutation(FIELDS)], owner):
        if not habit.changed.any():
            assert (habit.rows < len(OWNERS)).all()
