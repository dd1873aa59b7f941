"""Wide inputs folded to a bounded number of columns.

Up to `MAX_COLUMNS` fields pass as they are. Wider inputs are count-sketched (Charikar, Chen and
Farach-Colton 2002): each field is added, with a fixed sign, to one of `MAX_COLUMNS` buckets.
Distances survive in expectation, a change of one field stays a change of one column, and points on
one line stay on one line.
"""

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import CATEGORY_CEILING, Floats

MAX_COLUMNS = 64


def fold(cells: Floats, names: tuple[str, ...]) -> tuple[Floats, tuple[str, ...]]:
    """Return (n, min(d, 64)) cells and their column names; missing cells count as 0 in a sketch."""
    if len(names) <= MAX_COLUMNS:
        return cells, names
    codes = np.array([crc32(name.encode()) for name in names], dtype=np.int64)
    bucket = codes % MAX_COLUMNS
    sign = np.where((codes >> 16) & 1, 1.0, -1.0)
    numbers = np.where(cells < CATEGORY_CEILING, cells / CATEGORY_CEILING, cells)
    numbers = np.nan_to_num(numbers) * sign
    folded = np.zeros((len(cells), MAX_COLUMNS))
    for column in range(MAX_COLUMNS):
        folded[:, column] = _row_sums(numbers[:, bucket == column])
    return folded, tuple(f"sketch{i}" for i in range(MAX_COLUMNS))


def _row_sums(block: Floats) -> NDArray[np.float64]:
    """Sum along rows in column order, so that a row's sum never depends on its neighbours."""
    total = np.zeros(len(block))
    for column in block.T:
        total += column
    return total
