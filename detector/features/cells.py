"""The cell of the input space that a query falls in (compiled)."""

from typing import Any

import numpy as np

from detector.features.estimate import SQUARES
from detector.features.geometry import as_number
from detector.kit.compiled import borrowing, estimating

_SQUARES = SQUARES
LIMIT = 10.0
# Values up to `LIMIT` in single precision, and sums of 64 squares of what lies between two of them.
SHARE, OF_ROOT, NOTHING = 1e-5, 1e-4, 1e-8


@borrowing
def _place(cell: float) -> float:
    """Return a cell of z as a coordinate; gaps count as 0, categories as a number."""
    return min(max(as_number(cell, 0.0), -LIMIT), LIMIT)


@estimating
def _estimate(z: Any, coarse: Any, totals: Any) -> float:
    """Fill totals (k,) with the squared distances from all centres; return the least.

    By four fields at a time, which spares three quarters of the ways to memory and back.
    """
    count = coarse.shape[1]
    for k in range(count):
        totals[k] = np.float32(0.0)
    fours = len(z) // 4 * 4
    for j in range(0, fours, 4):
        p, q = np.float32(_place(z[j])), np.float32(_place(z[j + 1]))
        r, s = np.float32(_place(z[j + 2])), np.float32(_place(z[j + 3]))
        for k in range(count):
            a, b = p - coarse[j, k], q - coarse[j + 1, k]
            c, d = r - coarse[j + 2, k], s - coarse[j + 3, k]
            totals[k] += a * a + b * b + c * c + d * d
    for j in range(fours, len(z)):
        v = np.float32(_place(z[j]))
        for k in range(count):
            totals[k] += (v - coarse[j, k]) ** 2
    least = totals[0]
    for k in range(count):
        least = totals[k] if totals[k] < least else least
    return float(least)


@estimating
def _within(bound: float, totals: Any, count: int) -> tuple[int, int]:
    """Return how many of the first totals are within the bound, and the number of the last."""
    limit = np.float32(bound)
    hits, last = np.int32(0), np.int32(-1)
    for k in range(np.int32(count)):
        hit = totals[k] <= limit
        hits += np.int32(hit)
        last = max(last, np.int32(k) if hit else np.int32(-1))
    return int(hits), int(last)


@borrowing
def _measure(z: Any, cells: Any, k: int) -> float:
    """Return the squared distance from the k-th centre."""
    total = 0.0
    for j in range(len(z)):
        total += (_place(z[j]) - cells[j, k]) ** 2
    return total


@borrowing
def nearest_cell(z: Any, cells: Any, coarse: Any, room: Any) -> int:
    """Return the number of the centre closest to z, the first of equals.

    `cells` (d, k) holds the centres as columns and `coarse` the same as float32: all of them are
    measured field by field at once, and once more where several may be the closest.
    """
    totals = room[_SQUARES]
    least = _estimate(z, coarse, totals)
    bound = least + 2.0 * (SHARE * least + OF_ROOT * np.sqrt(least) + NOTHING)
    hits, found = _within(bound, totals, cells.shape[1])
    if hits == 1:
        return found
    smallest = np.inf
    for k in range(cells.shape[1]):
        if totals[k] > bound:
            continue
        square = _measure(z, cells, k)
        if square < smallest:
            smallest = square
            found = k
    return found
