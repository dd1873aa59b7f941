import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.events.batch import category_code
from detector.reference.sketch import MAX_COLUMNS, RAW, fit_units, fold

WIDE = 300
NAMES = tuple(f"pixel-{i}" for i in range(WIDE))


def test_up_to_64_columns_pass_as_they_are() -> None:
    cells = np.random.default_rng(0).normal(size=(5, MAX_COLUMNS))
    folded, names = fold(cells, NAMES[:MAX_COLUMNS], None)
    assert folded is cells
    assert names == NAMES[:MAX_COLUMNS]


@given(st.integers(0, WIDE - 1), st.floats(0.01, 100))
@settings(max_examples=50, deadline=None)
def test_a_change_of_one_field_is_a_change_of_one_column(field: int, step: float) -> None:
    cells = np.zeros((2, WIDE))
    cells[1, field] = step
    folded, names = fold(cells, NAMES, None)
    assert folded.shape == (2, MAX_COLUMNS) == (2, len(names))
    assert (folded[0] != folded[1]).sum() == 1
    assert np.abs(folded[1] - folded[0]).sum() == step


def test_lines_stay_lines_and_distances_about_what_they_were() -> None:
    a, b = np.random.default_rng(1).normal(size=(2, WIDE))
    folded, _ = fold(np.array([a, b, 0.3 * a + 0.7 * b]), NAMES, None)
    np.testing.assert_allclose(folded[2], 0.3 * folded[0] + 0.7 * folded[1], atol=1e-12)
    ratio = np.linalg.norm(folded[0] - folded[1]) / np.linalg.norm(a - b)
    assert 0.5 < ratio < 1.5


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    cells = np.random.default_rng(2).normal(size=(40, WIDE))
    together, _ = fold(cells, NAMES, None)
    alone = np.concatenate([fold(cells[i : i + 1], NAMES, None)[0] for i in range(40)])
    np.testing.assert_array_equal(together, alone)


def test_gaps_and_categories_become_bounded_numbers() -> None:
    cells = np.full((2, WIDE), np.nan)
    cells[1] = category_code("car")
    folded, _ = fold(cells, NAMES, None)
    assert (folded[0] == 0).all()
    assert np.abs(folded[1]).max() < 10 * WIDE


def test_small_fields_are_seen_beside_large_ones() -> None:
    rng = np.random.default_rng(3)
    scales = np.where(np.arange(WIDE) % 2, 1e9, 1e-3)
    benign = rng.normal(size=(400, WIDE)) * scales
    units = fit_units(benign)
    for size, at in ((1e-4, 0), (1e8, 1)):
        row = benign[:1].copy()
        row[0, at] += size
        before, after = fold(benign[:1], NAMES, units)[0], fold(row, NAMES, units)[0]
        assert 0.01 < np.abs(after - before).max() < 1.0


def test_alike_fields_share_one_unit() -> None:
    spreads = np.random.default_rng(7).uniform(0.8, 8.0, size=WIDE)
    units = fit_units(np.random.default_rng(8).normal(size=(400, WIDE)) * spreads)
    assert len(set(units[1])) == 1


def test_a_field_far_beyond_its_range_does_not_hide_the_others() -> None:
    units = fit_units(np.random.default_rng(4).normal(size=(400, WIDE)))
    wild = np.full((2, WIDE), 1e29)
    wild[:, 0] = 0.25, 0.26
    folded = fold(wild, NAMES, units)[0].astype(np.float32)
    assert (folded[0] != folded[1]).sum() == 1
    wild[:, 1] = 1e28, 2e28
    folded = fold(wild, NAMES, units)[0].astype(np.float32)
    assert (folded[0] != folded[1]).sum() == 2


def test_whole_numbers_stay_on_a_decimal_grid() -> None:
    pixels = np.random.default_rng(5).integers(0, 256, size=(400, WIDE)).astype(float)
    folded, _ = fold(pixels, NAMES, fit_units(pixels))
    np.testing.assert_allclose(folded * 100, np.round(folded * 100), atol=1e-6)


def test_fields_of_old_references_are_taken_as_they_are() -> None:
    cells = np.random.default_rng(6).normal(size=(3, WIDE)) * 1e6
    plain, _ = fold(cells, NAMES, RAW)
    np.testing.assert_allclose(
        plain.sum(axis=1), fold(cells * 1e-6, NAMES, None)[0].sum(axis=1) * 1e6
    )


def test_units_of_constant_and_missing_fields_are_numbers() -> None:
    cells = np.zeros((50, WIDE))
    cells[:, 1], cells[:, 2], cells[:, 3] = np.nan, 5e-324, 1e29
    units = fit_units(cells)
    assert np.isfinite(units).all()
    assert (units[1] > 0).all()
    assert fit_units(cells[:, :MAX_COLUMNS]).size == 0
