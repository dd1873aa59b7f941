import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.events.batch import category_code
from detector.reference.sketch import MAX_COLUMNS, fold

WIDE = 300
NAMES = tuple(f"pixel-{i}" for i in range(WIDE))


def test_up_to_64_columns_pass_as_they_are() -> None:
    cells = np.random.default_rng(0).normal(size=(5, MAX_COLUMNS))
    folded, names = fold(cells, NAMES[:MAX_COLUMNS])
    assert folded is cells
    assert names == NAMES[:MAX_COLUMNS]


@given(st.integers(0, WIDE - 1), st.floats(0.01, 100))
@settings(max_examples=50, deadline=None)
def test_a_change_of_one_field_is_a_change_of_one_column(field: int, step: float) -> None:
    cells = np.zeros((2, WIDE))
    cells[1, field] = step
    folded, names = fold(cells, NAMES)
    assert folded.shape == (2, MAX_COLUMNS) == (2, len(names))
    assert (folded[0] != folded[1]).sum() == 1
    assert np.abs(folded[1] - folded[0]).sum() == step


def test_lines_stay_lines_and_distances_about_what_they_were() -> None:
    a, b = np.random.default_rng(1).normal(size=(2, WIDE))
    folded, _ = fold(np.array([a, b, 0.3 * a + 0.7 * b]), NAMES)
    np.testing.assert_allclose(folded[2], 0.3 * folded[0] + 0.7 * folded[1], atol=1e-12)
    ratio = np.linalg.norm(folded[0] - folded[1]) / np.linalg.norm(a - b)
    assert 0.5 < ratio < 1.5


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    cells = np.random.default_rng(2).normal(size=(40, WIDE))
    together, _ = fold(cells, NAMES)
    alone = np.concatenate([fold(cells[i : i + 1], NAMES)[0] for i in range(40)])
    np.testing.assert_array_equal(together, alone)


def test_gaps_and_categories_become_bounded_numbers() -> None:
    cells = np.full((2, WIDE), np.nan)
    cells[1] = category_code("car")
    folded, _ = fold(cells, NAMES)
    assert (folded[0] == 0).all()
    assert np.abs(folded[1]).max() < 10 * WIDE
