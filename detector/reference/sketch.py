"""Wide inputs folded to a bounded number of columns.

Up to `MAX_COLUMNS` fields pass as they are. Wider inputs are count-sketched (Charikar, Chen and
Farach-Colton 2002): each field is added, with a fixed sign, to one of `MAX_COLUMNS` buckets.
Distances survive in expectation, a change of one field stays a change of one column, and points on
one line stay on one line. So that no field drowns the others of its bucket, each is measured from
its benign median, in units by its benign spread. Spreads within ten times of the median spread have
one unit, so that alike fields (pixels, embeddings) stay alike, and others another hundred times as
large or small: by powers of ten values stay on their decimal grids.
"""

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import CATEGORY_CEILING, Floats
from detector.reference.units import bounded

MAX_COLUMNS = 64
# A field that far beyond its range still leaves four digits of the others in single precision.
FARTHEST = 1e3
LEAST = 1e-200
RAW = np.zeros((2, 0))
"""Units of references that were built before there were any, and of narrow inputs: none."""


def fold(
    cells: Floats, names: tuple[str, ...], units: Floats | None
) -> tuple[Floats, tuple[str, ...]]:
    """Return (n, min(d, 64)) cells and their column names; missing cells count as 0 in a sketch.

    `units` are those of `fit_units`; without a reference, None, fields are taken as they are but
    for large numbers, which are `bounded`.
    """
    if len(names) <= MAX_COLUMNS:
        return cells, names
    codes = np.array([crc32(name.encode()) for name in names], dtype=np.int64)
    bucket = codes % MAX_COLUMNS
    sign = np.where((codes >> 16) & 1, 1.0, -1.0)
    numbers = _in_units(_numbers(cells), units) * sign
    folded = np.zeros((len(cells), MAX_COLUMNS))
    for column in range(MAX_COLUMNS):
        folded[:, column] = _row_sums(numbers[:, bucket == column])
    return folded, tuple(f"sketch{i}" for i in range(MAX_COLUMNS))


def fit_units(cells: Floats) -> Floats:
    """Return the (2, d) medians and units of (n, d) benign cells; nothing for narrow inputs.

    The median is a value that there is, and lies on its field's grid. Where most values are the
    same, the others count by a tenth of what all but one in a thousand on either side span.
    """
    if cells.shape[1] <= MAX_COLUMNS:
        return RAW
    numbers = _numbers(cells)
    places = [0.001, 0.1, 0.5, 0.9, 0.999]
    least, low, middle, high, most = np.quantile(numbers, places, axis=0, method="nearest")
    spread = np.maximum(high - low, (most - least) / 10.0)
    varied = spread > 0.0
    sizes = np.log10(np.maximum(spread, LEAST))
    usual = float(np.median(sizes[varied])) if varied.any() else 0.0
    steps = np.where(varied, np.round((sizes - usual) / 2.0), 0.0)
    return np.stack([middle, 10.0 ** (np.round(usual) + 2.0 * steps)])


def _numbers(cells: Floats) -> Floats:
    numbers = np.where(cells < CATEGORY_CEILING, cells / CATEGORY_CEILING, cells)
    return np.nan_to_num(numbers)


def _in_units(numbers: Floats, units: Floats | None) -> Floats:
    if units is None:
        return bounded(numbers, FARTHEST)
    if not units.size:
        return numbers
    middle, unit = units
    return bounded((numbers - middle) / unit, FARTHEST)


def _row_sums(block: Floats) -> NDArray[np.float64]:
    """Sum along rows in column order, so that a row's sum never depends on its neighbours."""
    total = np.zeros(len(block))
    for column in block.T:
        total += column
    return total
