"""The reference as the kernel sees it."""

import numpy as np
import pytest

from detector.events.batch import category_code
from detector.features.lens import ends, make_lens
from detector.reference.fields import fit_fields


def test_ends_are_next_to_the_extremes_in_scaled_units() -> None:
    fields = fit_fields(np.arange(1281.0)[:, None])
    low, lower, upper, high = fields.center[0] + ends(fields)[0] * fields.scale[0]
    assert (low, lower, upper, high) == pytest.approx((10.0, 320.0, 960.0, 1270.0))


def test_an_end_where_benign_values_pile_up_is_an_ordinary_value() -> None:
    values = np.concatenate([np.zeros(100), np.arange(1.0, 1001.0)])
    low, lower, upper, high = ends(fit_fields(values[:, None]))[0]
    assert (low, lower) == (-np.inf, np.inf)
    assert upper < high < np.inf


def test_categories_constants_and_unknown_fields_have_no_ends() -> None:
    cells = np.array([[category_code("a"), 3.0], [category_code("b"), 3.0]])
    found = np.vstack([ends(fit_fields(cells)), make_lens(None, 1).ends])
    assert np.isinf(found).all()
