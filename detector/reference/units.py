"""Cells as plain numbers, for whatever needs a vector space, and numbers as bounded ones."""

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import CATEGORY_CEILING, Floats
from detector.kit.compiled import compiled

LIMIT = 10.0


@compiled
def number_of(cell: float) -> float:
    """Return one cell as `numbers_of` does."""
    if np.isnan(cell):
        return 0.0
    if cell < CATEGORY_CEILING:
        return float(cell / 1e30 + 1.0)
    return float(min(max(cell, -LIMIT), LIMIT))


def numbers_of(points: NDArray[np.float32]) -> Floats:
    """Return scaled cells as plain numbers: gaps are 0, a category a fixed number in [-1, 0]."""
    numbers = points.astype(np.float64)
    category = numbers < CATEGORY_CEILING
    # Codes lie between -1e30 and -2e30: subtracting the first leaves a fixed number per category.
    numbers[category] = numbers[category] / 1e30 + 1.0
    return np.clip(np.nan_to_num(numbers), -LIMIT, LIMIT)


def bounded(numbers: Floats, limit: float) -> Floats:
    """Return numbers of which what lies beyond +-`limit` grows with its logarithm only.

    Order and difference remain. Of doubles none comes out beyond 711 times the limit.
    """
    size = np.abs(numbers)
    if not (size > limit).any():
        return numbers
    beyond = limit * (1.0 + np.log(np.maximum(size, limit) / limit))
    return np.where(size > limit, np.copysign(beyond, numbers), numbers)
