import numpy as np
import pytest

from detector.events.batch import CATEGORY_CEILING, category_code
from detector.reference.fields import KNOTS, MAX_CATEGORIES, fit_fields, scaled

GAP = float("nan")
rng = np.random.default_rng(5)


def test_numbers_give_center_scale_and_quantiles() -> None:
    column = rng.normal(10.0, 3.0, 5000)
    fields = fit_fields(column[:, None])
    assert fields.center[0] == pytest.approx(np.median(column))
    assert fields.scale[0] == pytest.approx(2.563 * 3.0, rel=0.05)
    assert fields.knots.shape == (1, KNOTS)
    assert (fields.knots[0, 0], fields.knots[0, -1]) == (column.min(), column.max())
    assert (np.diff(fields.knots[0]) >= 0).all()


def test_categories_are_kept_by_frequency_with_their_rarity() -> None:
    car, house = category_code("car"), category_code("house")
    fields = fit_fields(np.array([[car]] * 6 + [[house]] * 2))
    assert fields.categories[0, :2].tolist() == [car, house]
    assert fields.rarity[0, :2] == pytest.approx([np.log2(8 / 6), 2.0])
    assert np.isnan(fields.categories[0, 2:]).all()
    assert np.isnan(fields.knots[0]).all()


def test_only_the_most_frequent_categories_are_kept() -> None:
    codes = [category_code(f"c{i}") for i in range(200) for _ in range(1 + (i < 10))]
    fields = fit_fields(np.array(codes)[:, None])
    assert np.isfinite(fields.categories[0]).sum() == MAX_CATEGORIES
    assert {category_code(f"c{i}") for i in range(10)} <= set(fields.categories[0])


def test_missing_cells_are_counted_and_else_left_out() -> None:
    fields = fit_fields(np.array([[1.0, GAP], [GAP, GAP], [3.0, GAP], [2.0, GAP]]))
    assert fields.missing.tolist() == [0.25, 1.0]
    assert fields.center.tolist() == [2.0, 0.0]
    assert np.isnan(fields.knots[1]).all()


@pytest.mark.parametrize(
    "column", [np.zeros(50), np.full(50, -7.5), np.array([0.0] * 49 + [1e9]), np.full(9, 1e29)]
)
def test_no_scale_is_ever_zero(column: np.ndarray) -> None:
    assert fit_fields(column[:, None]).scale[0] > 0


def test_numbers_far_beyond_a_tiny_scale_stay_numbers_and_in_order() -> None:
    fields = fit_fields((rng.lognormal(0.0, 0.3, 500) * 4.7e-12)[:, None])
    tried = np.array([[-1e29], [-1e18], [-1.0], [0.0], [1.0], [1e18], [1e29]])
    z = scaled(tried, fields).astype(float)
    assert (z > CATEGORY_CEILING).all()
    assert (np.diff(z[:, 0]) > 0).all()
    assert np.isfinite(z * z).all()
    assert np.isfinite(scaled(np.array([[1e29]]), fit_fields(np.array([[0.0], [5e-324]])))).all()
