"""A refresh follows everybody, hardly follows a few, and stops where a person must look."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.events.batch import CATEGORY_CEILING, category_code
from detector.events.model import ModelKey
from detector.kit.errors import ConfigurationError
from detector.reference.fit import BenignRows, fit
from detector.reference.moves import Bounds, DriftRefusedError
from detector.reference.picture import Reference
from detector.reference.refresh import Refreshed, refresh
from detector.reference.witnesses import RecentRows

MODEL = ModelKey("acme", "credit")
NAMES = ("income", "debt", "age", "colour", "bonus")
CODES = [category_code(text) for text in ("red", "green", "blue")]
MAUVE = category_code("mauve")
GAP = float("nan")
CLIENTS = 50
BEHAVIOUR: dict[str, Any] = {
    "nulls": {"line_search": (1.0, 50.0)},
    "ceilings": {"line_search": 3.0},
    "near": 0.2,
    "typical": 0.6,
    "apart": 1.2,
    "low_margin": 0.1,
    "vectors": np.column_stack([np.tile([32.0, 64.0], 40), np.arange(320.0).reshape(80, 4)]),
    "volumes": np.linspace(50.0, 150.0, 40),
    "volume_days": 30.0,
}

Cells = NDArray[np.float64]


def people(seed: int, shift: float = 0.0, n: int = 2500) -> Cells:
    """Correlated numbers, a whole number, a category, and a field that is often missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return np.column_stack(
        [
            x + 0.3 * rng.normal(size=n) + shift,
            np.exp(0.5 * x) + 0.1 * rng.random(n),
            np.round(40 + 8 * rng.normal(size=n)),
            rng.choice(CODES, n, p=[0.35, 0.34, 0.31]),
            np.where(rng.random(n) < 0.3, GAP, rng.random(n)),
        ]
    )


def labels_of(cells: Cells) -> NDArray[np.int64]:
    return (cells[:, 1] > 1.2).astype(np.int64)


def owners(n: int = 2500) -> NDArray[np.int64]:
    return np.arange(n, dtype=np.int64) % CLIENTS


def learnt(cells: Cells) -> Reference:
    rows = BenignRows(cells, NAMES, owners(len(cells)), np.full(len(cells), np.nan))
    return replace(fit(MODEL, rows), **BEHAVIOUR)


def step(
    current: Reference, cells: Cells, anchor: Reference | None = None, **changes: Any
) -> Refreshed:
    """One refresh by these cells; `changes` are what the candidate says beside."""
    candidate = replace(learnt(cells), **changes)
    recent = RecentRows(cells, owners(len(cells)), labels_of(cells), NAMES)
    return refresh(current, candidate, anchor or current, recent)


@pytest.fixture(scope="module")
def anchor() -> Reference:
    return learnt(people(1))


def strange(reference: Reference, cells: Cells) -> float:
    return float((reference.judge(cells)[0] <= 0.02).mean())


def refused_after(anchor: Reference, days: Sequence[Cells]) -> tuple[int, DriftRefusedError]:
    """How many of the days' refreshes went well before one was refused."""
    current = anchor
    for day, cells in enumerate(days):
        try:
            current = step(current, cells, anchor).reference
        except DriftRefusedError as error:
            return day, error
    raise AssertionError("none was refused")


def few(cells: Cells, rows: Cells) -> Cells:
    """The same cells with three of the fifty clients sending rows of their own."""
    mixed = cells.copy()
    own = np.isin(owners(len(cells)), (0, 1, 2))
    mixed[own] = rows[: own.sum()]
    return mixed


def test_in_a_world_that_stays_p_values_stay_what_they_say(anchor: Reference) -> None:
    current = anchor
    for day in range(10):
        current = step(current, people(10 + day), anchor).reference
        assert strange(current, people(500 + day)) == pytest.approx(0.02, abs=0.015)


def test_a_slow_drift_of_everybody_is_followed(anchor: Reference) -> None:
    current = anchor
    for day in range(1, 15):
        current = step(current, people(10 + day, shift=0.07 * day), anchor).reference
        assert strange(current, people(500 + day, shift=0.07 * day)) < 0.06
    fresh = people(600, shift=0.98)
    assert strange(current, fresh) < strange(anchor, fresh) / 2


def test_beyond_the_anchors_bounds_it_is_refused_by_name_and_amount(anchor: Reference) -> None:
    days, error = refused_after(anchor, [people(10 + k, shift=0.07 * k) for k in range(60)])
    assert 15 <= days <= 30
    assert re.search(r"income: quantiles 0\.5\d of its spread", str(error))
    assert {move.what for move in error.moves} == {"income: quantiles"}
    assert isinstance(error, ConfigurationError)


def test_a_leap_is_not_followed_at_once(anchor: Reference) -> None:
    moved = step(anchor, people(2, shift=1.0)).reference
    unit = anchor.fields.scale[0]
    assert 0.0 < moved.fields.center[0] - anchor.fields.center[0] <= 0.05 * unit + 1e-9
    assert strange(moved, people(3, shift=3.0)) > 0.5


def test_three_clients_of_fifty_cannot_make_their_region_ordinary(anchor: Reference) -> None:
    """Even when nobody suspects them, every day, and all clients count alike."""
    rng = np.random.default_rng(4)
    region = people(5)
    region[:, 0] += 5.0
    region[:, 1] += 4.0
    region[:, 2] = np.round(95 + 2 * rng.random(len(region)))
    current, refused = anchor, False
    for day in range(30):
        try:
            current = step(current, few(people(10 + day), region), anchor).reference
        except DriftRefusedError:
            refused = True
            break
    assert strange(current, region) > 0.95
    assert strange(learnt(few(people(6), region)), region) < 0.3
    assert refused or strange(current, people(7)) < 0.06


class TestCategories:
    def with_mauve(self, clients: int, share: float = 0.5) -> Cells:
        cells = people(8)
        rng = np.random.default_rng(9)
        own = (owners() < clients) & (rng.random(len(cells)) < share)
        cells[own, 3] = MAUVE
        return cells

    def test_a_new_one_of_a_few_clients_is_not_learnt(self, anchor: Reference) -> None:
        moved = step(anchor, self.with_mauve(5)).reference
        assert MAUVE not in moved.fields.categories[3]
        odd = people(10)
        odd[:, 3] = MAUVE
        assert strange(moved, odd) > 0.9

    def test_a_new_one_of_many_is_learnt_slowly(self, anchor: Reference) -> None:
        moved = step(anchor, self.with_mauve(40)).reference
        where = np.flatnonzero(moved.fields.categories[3] == MAUVE)
        assert len(where) == 1
        assert 2.0 ** -moved.fields.rarity[3, where[0]] <= 0.05 + 1e-9

    def test_one_that_stays_away_for_a_day_is_no_oddity_when_it_comes_back(
        self, anchor: Reference
    ) -> None:
        quiet = people(39)
        quiet[quiet[:, 3] == CODES[2], 3] = CODES[0]
        assert strange(step(anchor, quiet).reference, people(60)) < 0.04

    def test_the_share_of_a_known_one_stays_within_twice_the_anchors(
        self, anchor: Reference
    ) -> None:
        current = anchor
        for day in range(8):
            cells = people(40 + day)
            cells[cells[:, 3] == CODES[2], 3] = CODES[0]
            current = step(current, cells, anchor).reference
        known = current.fields.categories[3]
        shares = {code: 2.0 ** -current.fields.rarity[3, known == code][0] for code in CODES}
        assert shares[CODES[2]] == pytest.approx(0.31 / 2, abs=0.02)
        assert 0.66 / 1.25 <= shares[CODES[0]] <= 0.68
        assert strange(current, people(60)) < 0.06

    def test_too_much_of_it_needs_a_person(self, anchor: Reference) -> None:
        days, error = refused_after(anchor, [self.with_mauve(50, 0.9)] * 40)
        assert days >= 4
        assert "colour: new categories 0.2" in str(error)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [(2, GAP, "age: never missing"), (2, 40.37, "age: natural grid")],
)
def test_structure_is_kept_against_a_few_and_refused_for_many(
    anchor: Reference, column: int, value: float, said: str
) -> None:
    cells = people(11)
    spoilt = cells.copy()
    spoilt[:, column] = value
    moved = step(anchor, few(cells, spoilt)).reference
    assert moved.fields.grid[column] == anchor.fields.grid[column] == 1.0
    odd = people(12)
    odd[:, column] = GAP
    assert strange(moved, odd) > 0.9
    cells[::3, column] = value
    with pytest.raises(DriftRefusedError, match=said):
        step(anchor, cells)


def test_a_field_that_turned_into_text_is_refused(anchor: Reference) -> None:
    cells = people(13)
    cells[:, 0] = CODES[0]
    with pytest.raises(DriftRefusedError, match="income: numbers"):
        step(anchor, cells)


def test_relations_between_fields_move_slowly(anchor: Reference) -> None:
    cells = people(14)
    np.random.default_rng(15).shuffle(cells[:, 0])
    moved = step(anchor, cells).reference
    assert strange(moved, cells) > strange(moved, people(16))
    days, error = refused_after(anchor, [cells] * 20)
    assert days >= 3
    assert "correlations" in str(error)


class TestBehaviour:
    def test_thresholds_loosen_by_a_step_and_never_beyond_the_anchor(
        self, anchor: Reference
    ) -> None:
        loose = {
            "nulls": {"line_search": (30.0, 30.0)},
            "ceilings": {"line_search": 40.0},
            "near": 2.0,
            "apart": 20.0,
            "limits": anchor.limits * 9.0,
            "broken": anchor.broken + 9.0,
            "volumes": np.full(40, 1e6),
            "volume_days": 30.0,
            "low_margin": 0.9,
        }
        current = anchor
        for day in range(12):
            before = current
            current = step(current, people(20 + day), anchor, **loose).reference
            limits = Bounds()
            rise = current.ceilings["line_search"] - before.ceilings["line_search"]
            assert rise <= limits.ceilings[0] + 1e-9
        assert current.ceilings["line_search"] == 3.0 + Bounds().ceilings[1]
        a, b = current.nulls["line_search"]
        assert a / b == pytest.approx(Bounds().odds[1] / 50.0)
        assert current.near == pytest.approx(0.2 * Bounds().scales[1])
        assert current.apart == pytest.approx(1.2 * Bounds().scales[1])
        np.testing.assert_allclose(current.limits, anchor.limits * Bounds().scales[1])
        assert current.broken == anchor.broken
        np.testing.assert_allclose(current.volumes, 2.0 * anchor.volumes)
        assert current.low_margin == pytest.approx(0.1 + Bounds().margins[1])

    def test_a_log_that_lost_its_scores_keeps_its_margin(self, anchor: Reference) -> None:
        assert step(anchor, people(20), low_margin=-1.0).reference.low_margin == 0.1

    def test_a_tenth_of_the_clients_have_their_vectors_replaced(self, anchor: Reference) -> None:
        newest = np.column_stack([np.tile([32.0, 64.0, 128.0], 40), np.full((120, 4), -1.0)])
        vectors = step(anchor, people(20), vectors=newest).reference.vectors
        assert vectors.shape == (72 + 12, 5)
        np.testing.assert_array_equal(vectors[:72], anchor.vectors[8:])
        np.testing.assert_array_equal(vectors[72:], newest[:12])

    def test_how_much_clients_ask_is_followed_step_by_step(self, anchor: Reference) -> None:
        less: dict[str, Any] = {"volumes": anchor.volumes / 1.1, "volume_days": 9.0}
        moved = step(anchor, people(20), **less).reference
        assert moved.volume_days == 9.0
        np.testing.assert_allclose(moved.volumes, anchor.volumes / 1.1, rtol=1e-3)
        loud: dict[str, Any] = {"volumes": np.full(40, 1e6), "volume_days": 9.0}
        moved = step(anchor, people(20), **loud).reference
        np.testing.assert_allclose(moved.volumes, anchor.volumes * Bounds().volumes[0], rtol=1e-3)

    def test_what_a_short_log_could_only_guess_is_learnt_at_once(self, anchor: Reference) -> None:
        """Half an hour showed 50 to 150 queries; what of a day they are, a week shows."""
        short = replace(anchor, volume_days=1 / 48)
        seen: dict[str, Any] = {"volumes": np.linspace(300.0, 900.0, 40), "volume_days": 7.0}
        moved = step(short, people(20), **seen).reference
        assert moved.volume_days == 7.0
        np.testing.assert_allclose(moved.volumes, seen["volumes"])

    def test_half_an_hour_teaches_nothing_about_days(self, anchor: Reference) -> None:
        seen: dict[str, Any] = {"volumes": np.full(40, 3.0), "volume_days": 1 / 48}
        moved = step(anchor, people(20), **seen).reference
        np.testing.assert_array_equal(moved.volumes, anchor.volumes)
        assert moved.volume_days == anchor.volume_days

    def test_clients_too_short_for_a_vector_replace_none(self, anchor: Reference) -> None:
        moved = step(anchor, people(20), vectors=np.zeros((0, 0))).reference
        np.testing.assert_array_equal(moved.vectors, anchor.vectors)


def test_what_moved_is_told_farthest_first(anchor: Reference) -> None:
    moves = step(anchor, people(2, shift=1.0)).moves
    shares = [move.total / move.allowed for move in moves]
    assert shares == sorted(shares, reverse=True)
    assert any(move.what == "income: quantiles" and 0 < move.step <= 0.06 for move in moves)


def test_it_is_stored_like_any_other_reference(anchor: Reference) -> None:
    moved = step(anchor, people(2)).reference
    assert Reference.from_bytes(moved.to_bytes()).digest() == moved.digest()
    assert step(anchor, people(2)).reference.digest() == moved.digest()
    assert moved.names == NAMES
    assert len(moved.answers.labels) > 0
    assert (moved.fields.categories[3] < CATEGORY_CEILING).sum() == 3


@pytest.mark.parametrize(
    "changes", [{"names": ("a", "b", "c", "d", "e")}, {"nulls": {"other": (1.0, 2.0)}}]
)
def test_references_of_another_making_are_refused(
    anchor: Reference, changes: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="build it anew"):
        step(anchor, people(2), **changes)
