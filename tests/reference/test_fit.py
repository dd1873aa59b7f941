from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detector.events.batch import CATEGORY_CEILING, category_code
from detector.events.model import ModelKey
from detector.reference.fields import scaled
from detector.reference.fit import MAX_ROWS_A_CLIENT, BenignRows, fit
from detector.reference.picture import Reference
from detector.reference.units import numbers_of

MODEL = ModelKey("acme", "credit")
CODES = [category_code(text) for text in ("red", "green", "blue")]
GAP = float("nan")


def rows_of(cells: NDArray[np.float64], clients: int = 20) -> BenignRows:
    n, d = cells.shape
    names = tuple(f"field-{j}" for j in range(d))
    return BenignRows(cells, names, np.arange(n) % clients, np.full(n, np.nan))


def people(n: int, seed: int) -> NDArray[np.float64]:
    """Correlated numbers, a whole number, a category, and a field that is often missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    often_missing = np.where(rng.random(n) < 0.3, GAP, rng.random(n))
    return np.column_stack(
        [
            x + 0.1 * rng.normal(size=n),
            np.exp(x),
            np.round(20 + 5 * rng.normal(size=n)),
            rng.choice(CODES, n, p=[0.7, 0.25, 0.05]),
            often_missing,
        ]
    )


@pytest.fixture(scope="module")
def picture() -> Reference:
    return fit(MODEL, rows_of(people(3000, 1)))


def p_values(picture: Reference, cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Conformal p-values of rows."""
    return picture.judge(cells)[0]


def broken(picture: Reference, cells: NDArray[np.float64]) -> NDArray[np.int64]:
    """How broken rows are."""
    return picture.judge(cells)[1]


def related(n: int, seed: int, d: int = 12) -> NDArray[np.float64]:
    """Fields that all follow two hidden ones."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(2, d))
    rows: NDArray[np.float64] = rng.normal(size=(n, 2)) @ mixing + 0.1 * rng.normal(size=(n, d))
    return rows


class TestPValues:
    def test_unseen_benign_rows_are_about_uniform(self, picture: Reference) -> None:
        values = p_values(picture, people(4000, 2))
        assert ((values > 0) & (values <= 1)).all()
        for level in (0.02, 0.1, 0.25, 0.5):
            assert (values <= level).mean() == pytest.approx(level, abs=0.25 * level + 0.005)

    def test_rows_of_unseen_clients_are_hardly_ever_strange(self) -> None:
        """Clients keep to their own corners, so each new one is unlike all known ones."""
        rng = np.random.default_rng(3)
        homes = rng.normal(size=(80, 3))
        owner = np.repeat(np.arange(80), 40)
        cells = homes[owner] + 0.5 * rng.normal(size=(3200, 3))
        known = owner < 40
        names = ("a", "b", "c")
        gaps = np.full(1600, GAP)
        learnt = fit(MODEL, BenignRows(cells[known], names, owner[known], gaps))
        assert (p_values(learnt, cells[~known]) <= 0.02).mean() < 0.06

    def test_uniform_rows_in_the_fields_ranges_are_strange(self, picture: Reference) -> None:
        """Each field alone is in its range: the broken correlation gives them away."""
        rng = np.random.default_rng(4)
        odd = people(500, 5)
        odd[:, 0] = rng.uniform(-2.5, 2.5, 500)
        odd[:, 1] = np.exp(rng.uniform(-2.5, 2.5, 500))
        assert np.median(p_values(picture, odd)) < 0.02

    @pytest.mark.parametrize(
        ("column", "value"),
        [(0, 1e6), (2, -500.0), (0, GAP), (0, CODES[0]), (3, category_code("mauve")), (3, 1.0)],
    )
    def test_one_impossible_field_makes_a_row_strange(
        self, picture: Reference, column: int, value: float
    ) -> None:
        odd = people(200, 6)
        odd[:, column] = value
        assert (p_values(picture, odd) <= 0.02).mean() > 0.9

    def test_a_usual_gap_is_no_oddity(self, picture: Reference) -> None:
        plain = people(500, 7)
        plain[:, 4] = GAP
        assert (p_values(picture, plain) <= 0.02).mean() < 0.06

    def test_a_rows_value_does_not_depend_on_its_neighbours(self, picture: Reference) -> None:
        cells = people(60, 8)
        together = p_values(picture, cells)
        alone = np.concatenate([p_values(picture, cells[i : i + 1]) for i in range(60)])
        np.testing.assert_array_equal(together, alone)
        np.testing.assert_array_equal(together[::-1], p_values(picture, cells[::-1]))


@pytest.fixture(scope="module")
def learnt() -> Reference:
    """What is learnt of fields that go together."""
    return fit(MODEL, rows_of(related(3000, 30)))


class TestBroken:
    def test_hardly_any_benign_row_breaks_more_relations_than_is_usual(
        self, learnt: Reference
    ) -> None:
        assert (broken(learnt, related(4000, 31)) > 0).mean() < 0.02

    def test_fields_drawn_each_for_itself_break_most_of_them(self, learnt: Reference) -> None:
        rng = np.random.default_rng(32)
        shuffled = related(500, 33)
        for column in shuffled.T:
            rng.shuffle(column)
        assert (broken(learnt, shuffled) > 0).mean() > 0.95
        assert (broken(learnt, shuffled) == 2).mean() > 0.8

    def test_one_odd_field_among_unrelated_ones_does_not_shatter_a_row(self) -> None:
        plain = np.random.default_rng(34).normal(size=(3000, 12))
        odd = np.random.default_rng(35).normal(size=(500, 12))
        odd[:, 3] = 9.0
        levels = broken(fit(MODEL, rows_of(plain)), odd)
        assert (levels == 2).mean() < 0.01

    def test_what_new_groups_break_does_not_shatter_a_row(self, learnt: Reference) -> None:
        rng = np.random.default_rng(36)
        shuffled = related(500, 37)
        for column in shuffled.T:
            rng.shuffle(column)
        assert (broken(learnt, shuffled) == 2).mean() > 0.8
        groups_do = replace(learnt, shattered=12.0)
        assert (broken(groups_do, shuffled) == 1).mean() > 0.95

    @pytest.mark.parametrize("odd", [[category_code("unknown")] * 6, [GAP] * 6])
    def test_what_many_fields_say_alike_is_said_once(self, odd: list[float]) -> None:
        """A record of which little is known is no input made without the data."""
        rng = np.random.default_rng(5)
        learnt = fit(MODEL, rows_of(rng.choice(CODES, (4000, 8), p=[0.5, 0.47, 0.03])))
        plain = rng.choice(CODES[:2], (200, 2))
        assert not broken(learnt, np.hstack([np.full((200, 6), odd), plain])).any()
        unlike = [category_code(f"unknown-{j}") for j in range(6)]
        assert (broken(learnt, np.hstack([np.full((200, 6), unlike), plain])) > 0).all()

    def test_a_row_does_not_depend_on_its_neighbours(self, learnt: Reference) -> None:
        rows = np.concatenate([related(30, 35), np.random.default_rng(36).normal(size=(30, 12))])
        alone = np.concatenate([broken(learnt, rows[i : i + 1]) for i in range(60)])
        np.testing.assert_array_equal(broken(learnt, rows), alone)

    def test_a_few_odd_clients_do_not_raise_what_is_usual(self) -> None:
        rng = np.random.default_rng(37)
        rows = rows_of(related(3000, 38), clients=30)
        odd = rows.owner < 3
        cells = rows.cells.copy()
        cells[odd] = rng.normal(size=(odd.sum(), 12))
        tainted = fit(MODEL, BenignRows(cells, rows.names, rows.owner, rows.margins))
        assert tainted.broken <= fit(MODEL, rows).broken + 1


def test_learning_twice_gives_the_same_bytes() -> None:
    cells = people(600, 9)
    assert fit(MODEL, rows_of(cells)).digest() == fit(MODEL, rows_of(cells.copy())).digest()


def test_a_loud_client_counts_with_a_share_only() -> None:
    cells = np.zeros((5000, 2))
    owner = np.where(np.arange(5000) < 4000, 0, np.arange(5000) % 10)
    rows = BenignRows(cells, ("a", "b"), owner, np.zeros(5000)).capped()
    counts = np.bincount(rows.owner)
    assert counts.max() <= MAX_ROWS_A_CLIENT
    assert (counts > 0).all()


def test_scaled_leaves_gaps_and_categories_alone(picture: Reference) -> None:
    cells = people(50, 10)
    units = scaled(cells, picture.fields)
    assert units.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(units), np.isnan(cells))
    np.testing.assert_array_equal(units[:, 3].astype(np.float64), cells[:, 3])
    assert np.nanmax(np.abs(units[:, 2])) < 10


def test_plain_numbers_are_bounded_whatever_comes() -> None:
    wild = np.array([[GAP, CODES[0], 1e30, -1e20, 0.5]], dtype=np.float32)
    numbers = numbers_of(wild)
    assert np.abs(numbers).max() <= 10
    assert (numbers[0, 0], numbers[0, 4]) == (0.0, 0.5)


def test_the_low_margin_is_that_of_the_typical_client() -> None:
    rng = np.random.default_rng(11)
    rows = rows_of(people(2000, 11))
    margins = rng.random(2000)
    margins[rows.owner == 0] = 0.0
    rows = BenignRows(rows.cells, rows.names, rows.owner, margins)
    assert fit(MODEL, rows).low_margin == pytest.approx(0.05, abs=0.03)
    assert fit(MODEL, rows_of(people(200, 1))).low_margin < 0


def _degenerate() -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(12)
    plain = rng.normal(size=(60, 3))
    return {
        "constant": np.full((60, 3), 7.0),
        "one constant": np.column_stack([plain, np.zeros(60)]),
        "all missing": np.full((60, 3), GAP),
        "one missing": np.column_stack([plain, np.full(60, GAP)]),
        "categories": rng.choice(CODES, (60, 3)),
        "one category": np.full((60, 1), CODES[0]),
        "fingerprints": np.array([[category_code(f"#{i:x}")] for i in range(60)]),
        "mixed": np.where(rng.random((60, 3)) < 0.5, plain, rng.choice(CODES, (60, 3))),
        "huge": np.where(rng.random((60, 3)) < 0.5, 1e29, -1e29),
        "tiny": plain * 1e-300,
        "single column": plain[:, :1],
        "two rows": plain[:2],
        "copies": np.repeat(plain[:1], 60, axis=0),
        "collinear": np.repeat(plain[:, :1], 40, axis=1),
        "wide": rng.normal(size=(60, 768)),
    }


@pytest.mark.parametrize("kind", _degenerate())
@pytest.mark.parametrize("clients", [1, 7])
@pytest.mark.filterwarnings("ignore")
def test_degenerate_traffic_still_gives_a_picture(kind: str, clients: int) -> None:
    cells = _degenerate()[kind]
    learnt = fit(MODEL, rows_of(cells, clients))
    rng = np.random.default_rng(13)
    width = len(learnt.fields.center)
    for odd in (rng.normal(size=(5, width)), np.full((5, width), GAP), np.full((5, width), 1e29)):
        values = p_values(learnt, odd)
        assert ((values > 0) & (values <= 1)).all()
    assert np.isfinite(learnt.precision).all()
    assert np.isfinite(learnt.centroids).all()
    assert (learnt.fields.scale > 0).all()
    assert Reference.from_bytes(learnt.to_bytes()).digest() == learnt.digest()


CELL = st.one_of(
    st.floats(-1e6, 1e6), st.integers(-3, 3).map(float), st.just(GAP), st.sampled_from(CODES)
)


@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=2, max_size=30))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.filterwarnings("ignore")
def test_any_few_rows_give_a_picture(rows: list[tuple[float, float, float]]) -> None:
    cells = np.array(rows)
    learnt = fit(MODEL, rows_of(cells, 3))
    values = p_values(learnt, cells)
    assert ((values > 0) & (values <= 1)).all()
    assert (cells[:, 0] < CATEGORY_CEILING).any() == np.isfinite(learnt.fields.categories[0]).any()


def test_small_clients_have_no_laxer_limit_than_large_ones() -> None:
    rows = rows_of(related(3000, 38), clients=30)
    small = BenignRows(rows.cells, rows.names, np.arange(3000) % 500, rows.margins)
    odd = rows.cells.copy()
    odd[:6] = np.random.default_rng(39).normal(size=(6, 12))
    wild = BenignRows(odd, rows.names, np.append(np.zeros(6, int), small.owner[6:]), rows.margins)
    for few in (small, wild):
        assert fit(MODEL, few).broken <= fit(MODEL, rows).broken + 1
