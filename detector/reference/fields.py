"""What each input field looks like in benign traffic: support, scale, quantiles, natural grid."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import CATEGORY_CEILING, Floats
from detector.reference.grids import natural_grid
from detector.reference.units import bounded

KNOTS = 129
# Of fewer gaps a field counts as never left out.
NEVER_MISSING = 0.001
MAX_CATEGORIES = 64
# Squares, and sums of them, of anything up to 711 times this are numbers in single precision.
FARTHEST = 1e6
BEYOND = np.finfo(np.float64).max


@dataclass(frozen=True, slots=True)
class Fields:
    """One row a field; d fields.

    Attributes:
        center: (d,) medians of the numbers, 0 for categories.
        scale: (d,) distance of the 10% and 90% quantiles, with fall-backs; never 0.
        knots: (d, KNOTS) equally spaced quantiles of the numbers; NaN for categories.
        grid: (d,) the step of the grid that all numbers lie on, 0 without one.
        origin: (d,) a place of it, 0 for decimal steps.
        missing: (d,) share of missing cells.
        categories: (d, MAX_CATEGORIES) category codes, most frequent first, NaN-padded.
        rarity: (d, MAX_CATEGORIES) minus log2 of their shares.
    """

    center: Floats
    scale: Floats
    knots: Floats
    grid: Floats
    origin: Floats
    missing: Floats
    categories: Floats
    rarity: Floats


def scaled(cells: Floats, fields: Fields) -> NDArray[np.float32]:
    """Return folded cells in scaled units as float32; categories and gaps pass unchanged.

    Numbers beyond a million ranges are `bounded`: none overflows, or is taken for a category.
    """
    with np.errstate(over="ignore"):
        numbers = (cells - fields.center) / fields.scale
    numbers = bounded(np.clip(numbers, -BEYOND, BEYOND), FARTHEST)
    return np.where(cells < CATEGORY_CEILING, cells, numbers).astype(np.float32)


def fit_fields(cells: Floats, owner: NDArray[np.int64] | None = None) -> Fields:
    """Learn the fields of (n, d) cells, n at least 1, of the (n,) clients if these are known."""
    width = cells.shape[1]
    fields = Fields(
        center=np.zeros(width),
        scale=np.ones(width),
        knots=np.full((width, KNOTS), np.nan),
        grid=np.zeros(width),
        origin=np.zeros(width),
        missing=np.isnan(cells).mean(axis=0),
        categories=np.full((width, MAX_CATEGORIES), np.nan),
        rarity=np.zeros((width, MAX_CATEGORIES)),
    )
    for j in range(width):
        column = cells[:, j]
        present = ~np.isnan(column)
        texts = present & (column < CATEGORY_CEILING)
        numbers = present & ~texts
        if texts.any():
            _fit_categories(fields, j, column[texts])
        if numbers.any():
            _fit_numbers(fields, j, column[numbers], owner if owner is None else owner[numbers])
    return fields


def _fit_categories(fields: Fields, j: int, codes: Floats) -> None:
    found, counts = np.unique(codes, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MAX_CATEGORIES]
    fields.categories[j, : len(order)] = found[order]
    fields.rarity[j, : len(order)] = -np.log2(counts[order] / len(codes))


def _fit_numbers(fields: Fields, j: int, numbers: Floats, owner: NDArray[np.int64] | None) -> None:
    fields.knots[j] = np.quantile(numbers, np.linspace(0.0, 1.0, KNOTS))
    fields.center[j] = np.median(numbers)
    low, high = np.quantile(numbers, [0.1, 0.9])
    spread = high - low
    if spread <= 0.0:
        spread = 2.56 * float(numbers.std())
    fields.scale[j] = spread if spread > 0.0 else max(abs(float(fields.center[j])), 1.0)
    fields.grid[j], fields.origin[j] = natural_grid(numbers, owner)
