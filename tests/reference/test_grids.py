import numpy as np
import pytest

from detector.events.batch import category_code
from detector.reference.fields import fit_fields
from detector.reference.grids import (
    DECIMAL_SLACK,
    LATTICE_SLACK,
    Numbers,
    natural_grid,
    off_grid,
    slacks,
)

rng = np.random.default_rng(5)
COUNTS = rng.poisson(30.0, 800).astype(float)
LEVELS = np.array([0.0, 3.0, 10.0, 14.0, 25.0])[rng.integers(0, 5, 500)]
NORMAL = rng.normal(size=600)


def z_scores(numbers: Numbers) -> Numbers:
    return np.asarray((numbers - numbers.mean()) / numbers.std())


def digits(numbers: Numbers, count: int) -> Numbers:
    return np.array([float(f"{number:.{count}g}") for number in numbers])


@pytest.mark.parametrize(
    ("numbers", "grid"),
    [
        (rng.integers(-50, 50, 300).astype(float), 1.0),
        (rng.integers(-500, 500, 300) / 10, 0.1),
        (np.round(NORMAL, 3), 0.001),
        (NORMAL, 0.0),
        (rng.integers(0, 50, 300) * 1e10, 1e10),
        (np.full(50, 1.2345678), 0.0),
        (np.zeros(50), 1.0),
    ],
)
def test_the_grid_is_the_coarsest_step_that_all_values_keep(numbers: Numbers, grid: float) -> None:
    assert natural_grid(numbers) == (grid, 0.0)


def test_one_value_off_the_grid_leaves_none() -> None:
    assert natural_grid(np.array([*COUNTS, 4.0 + 1 / np.pi]))[0] == 0.0
    assert natural_grid(np.array([*z_scores(COUNTS), 1 / np.pi]))[0] == 0.0


@pytest.mark.parametrize("sent", [COUNTS, COUNTS / 10, z_scores(COUNTS)])
@pytest.mark.parametrize("wild", [np.array([1 / np.pi]), 1e12 * NORMAL, np.full(40, np.e)])
def test_the_numbers_of_one_client_do_not_hide_a_grid(sent: Numbers, wild: Numbers) -> None:
    owner = np.arange(len(sent)) % 40
    grid = natural_grid(sent)
    assert grid[0] > 0.0
    found = natural_grid(np.append(wild, sent), np.append(np.full(len(wild), 40), owner))
    assert found == pytest.approx(grid)


@pytest.mark.parametrize("sent", [COUNTS, z_scores(COUNTS)])
def test_what_more_than_one_client_sends_is_no_oddity(sent: Numbers) -> None:
    owner = np.arange(len(sent)) % 40
    odd = np.where(owner < 2, sent + rng.random(len(sent)), sent)
    assert natural_grid(odd, owner) == (0.0, 0.0)
    assert natural_grid(np.where(owner < 1, odd, sent), owner)[0] > 0.0


def test_who_sends_nothing_but_zeros_does_not_say_that_the_others_round() -> None:
    owner = np.arange(400) % 40
    assert natural_grid(np.where(owner < 4, rng.random(400), 0.0), owner) == (0.0, 0.0)


@pytest.mark.parametrize(
    "written",
    [lambda x: x, lambda x: x.astype(np.float32).astype(float), lambda x: digits(x, 6),
     lambda x: np.round(x, 5), lambda x: np.round(x, 3)],
    ids=["double", "float32", "six digits", "five places", "three places"],
)  # fmt: skip
@pytest.mark.parametrize("counts", [COUNTS, 3.0 * COUNTS, LEVELS, LEVELS > 3.0])
def test_whole_numbers_sent_as_z_scores_keep_a_step(counts: Numbers, written: object) -> None:
    counts = counts.astype(float)
    assert callable(written)
    sent = written(z_scores(counts))
    step, origin = natural_grid(sent)
    distinct = np.unique(counts)
    whole = float(np.gcd.reduce(np.diff(distinct).astype(int)))
    assert step == pytest.approx(whole / counts.std(), rel=1e-3)
    assert not off_grid(sent, step, origin).any()
    assert not off_grid(z_scores(counts), step, origin).any()
    made_up = rng.uniform(sent.min(), sent.max(), 2000)
    assert off_grid(made_up, step, origin).mean() > 0.85


@pytest.mark.parametrize(
    ("numbers", "step"),
    [
        (rng.integers(0, 256, 3000) / 255, 1 / 255),
        ((COUNTS - COUNTS.min()) / np.ptp(COUNTS), 1 / np.ptp(COUNTS)),
        (COUNTS * 0.3048, 0.3048),
    ],
)
def test_shares_of_a_range_and_other_units_keep_a_step(numbers: Numbers, step: float) -> None:
    found, origin = natural_grid(numbers)
    assert found == pytest.approx(step)
    assert origin == pytest.approx(0.0, abs=1e-9)


def test_zeros_stand_for_what_is_missing() -> None:
    sent = z_scores(COUNTS)
    assert natural_grid(np.array([*sent, 0.0])) == natural_grid(sent)
    assert not off_grid(np.array([0.0]), *natural_grid(sent)).any()


@pytest.mark.parametrize("numbers", [NORMAL, np.log1p(COUNTS), np.sqrt(COUNTS), np.exp(NORMAL)])
def test_numbers_without_a_step_get_none(numbers: Numbers) -> None:
    assert natural_grid(numbers) == (0.0, 0.0)


def test_a_few_values_do_not_pass_for_a_step_by_chance() -> None:
    found = 0
    for seed in range(300):
        chance = np.random.default_rng(seed)
        values = chance.normal(size=int(chance.integers(3, 60))) * 10 ** chance.uniform(-3.0, 3.0)
        found += natural_grid(np.repeat(values, 20))[0] > 0.0
    assert found <= 3


def test_a_decimal_step_is_judged_strictly_and_another_with_room_for_rounding() -> None:
    steps, origins = np.array([1.0, 0.001, 1.0, 0.18]), np.array([0.0, 0.0, 0.5, 0.0])
    assert slacks(steps, origins).tolist() == [
        DECIMAL_SLACK, DECIMAL_SLACK, LATTICE_SLACK, LATTICE_SLACK,
    ]  # fmt: skip


def test_gaps_and_categories_are_off_no_grid() -> None:
    cells = np.array([np.nan, category_code("red"), 1.0, 1.5])
    assert off_grid(cells, 1.0, 0.0).tolist() == [False, False, False, True]
    assert not off_grid(cells, 0.0, 0.0).any()


def test_a_field_holds_its_grid_and_where_it_begins() -> None:
    fields = fit_fields(np.column_stack([COUNTS, z_scores(COUNTS), NORMAL[:1].repeat(800)]))
    assert (fields.grid[0], fields.origin[0]) == (1.0, 0.0)
    assert (fields.grid[1], fields.origin[1]) == natural_grid(z_scores(COUNTS))
    assert fields.origin[1] != 0.0
    assert fields.grid[2] == 0.0
