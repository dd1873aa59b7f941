"""Compiled geometry between one query and its client's remembered ones.

All functions take scaled cells (float32): NaN is a gap, a value below `CEILING` a category.
"""

from typing import Any

import numpy as np

from detector.events.batch import CATEGORY_CEILING
from detector.kit.compiled import borrowing
from detector.reference.sketch import MAX_COLUMNS

CEILING = np.float32(CATEGORY_CEILING)
LINE_TOLERANCE = 1e-3
ROUNDING = 4e-7
WIDE = 16
CURVED = 0.005


FIRST_IMAGE = np.cos(1.0 + 2.399963 * np.arange(MAX_COLUMNS))
SECOND_IMAGE = np.sin(0.5 + 1.094921 * np.arange(MAX_COLUMNS))


@borrowing
def is_number(x: float) -> bool:
    """Whether the cell holds a number."""
    return bool(x >= CEILING)


@borrowing
def same(x: float, y: float) -> bool:
    """Whether two cells are equal; gaps are."""
    return bool(x == y or (np.isnan(x) and np.isnan(y)))


@borrowing
def compare(a: Any, b: Any, limit: float) -> tuple[int, int, float]:
    """Return (changed fields, last changed field, squared distance).

    Numbers differ by their scaled distance, at most 1, and everything else by 1 (Gower 1971), so
    that one field with a long tail does not drown the others. Beyond `limit` and two changed
    fields the comparison breaks off: what is left could only add.
    """
    changed = 0
    last = -1
    square = 0.0
    for j in range(len(a)):
        x, y = a[j], b[j]
        if same(x, y):
            continue
        changed += 1
        last = j
        if is_number(x) and is_number(y):
            step = np.float64(x) - np.float64(y)
            square += min(step * step, 1.0)
        else:
            square += 1.0
        if square > limit and changed > 1:
            break
    return changed, last, square


@borrowing
def apartness(z: Any, queries: Any, order: Any) -> float:
    """Return the mean squared distance to the remembered queries, of which there is one at least.

    The distance is that of `compare`.
    """
    total = 0.0
    count = 0
    for m in range(len(order)):
        if order[m] > 0:
            _, _, square = compare(z, queries[m], np.inf)
            total += square
            count += 1
    return total / count


@borrowing
def stride(a: Any, b: Any, span: Any) -> float:
    """Return the root mean square difference of the numbers, in shares of their ranges."""
    square = 0.0
    count = 0
    for j in range(len(a)):
        if is_number(a[j]) and is_number(b[j]):
            step = (np.float64(a[j]) - np.float64(b[j])) / span[j]
            square += min(step * step, 1.0)
            count += 1
    return np.sqrt(square / count) if count > 0 else 0.0


@borrowing
def project(z: Any) -> tuple[float, float]:
    """Return two fixed linear images of the numbers of z, for quick tests of lines and mirrors."""
    first = 0.0
    second = 0.0
    for j in range(len(z)):
        if is_number(z[j]):
            first += z[j] * FIRST_IMAGE[j]
            second += z[j] * SECOND_IMAGE[j]
    return first, second


@borrowing
def on_line(x: Any, a: Any, b: Any, rounded: float, least: int) -> float:
    """Return t with x - a = t (x - b) when x, a and b stand on one line, else NaN.

    All categories and gaps must agree and `least` numbers differ; `rounded` is the scaled step that
    numbers are rounded to.
    t < 0: x lies between a and b; t = 2: x mirrors a at b.
    """
    dot = 0.0
    square_a = 0.0
    square_b = 0.0
    size = 0.0
    moved = 0
    for j in range(len(x)):
        if is_number(x[j]) and is_number(a[j]) and is_number(b[j]):
            u = np.float64(x[j]) - a[j]
            v = np.float64(x[j]) - b[j]
            moved += u != 0.0 and v != 0.0
            dot += u * v
            square_a += u * u
            square_b += v * v
            size += np.float64(x[j]) ** 2
        elif not same(x[j], a[j]) or not same(x[j], b[j]):
            return np.nan
    # Sparse rows often share a line in one or two fields by chance, and rows of one field always.
    if square_a == 0.0 or square_b == 0.0 or moved < max(2, min(least, len(x) - 1)):
        return np.nan
    t = dot / square_b
    residual = max(square_a - dot * dot / square_b, 0.0)
    # The distance from the line counts against the shortest side: from afar, any two points that
    # are close to each other would seem to stand on one line.
    shortest = min(square_a, square_b, square_a + square_b - 2.0 * dot)
    blur = ROUNDING**2 * size + moved * rounded * rounded / 4.0
    noise = LINE_TOLERANCE**2 * shortest + blur
    # Steps within a few roundings of each other have no direction to speak of.
    if residual <= noise and shortest > 64**2 * blur:
        return t
    return np.nan


@borrowing
def _crosses(x: float, y: float, span: float) -> bool:
    """Whether two numbers are the ends of a field's range, to single precision."""
    return bool(abs(abs(np.float64(x) - y) - span) <= ROUNDING * span)


@borrowing
def same_center(x: Any, y: Any, a: Any, b: Any, ranges: Any, rounded: float, least: int) -> bool:
    """Whether the pairs (x, y) and (a, b) have one midpoint, in many of the changed fields.

    Not in all: values that are clipped to a field's range lose the symmetry. Nor quite, in wide
    inputs: embeddings are brought to one length, which bends every pair a little. A field that both
    pairs cross from end to end says nothing: any two records on either side of a flag do. `rounded`
    is the scaled step that numbers are rounded to, `ranges` (d,) are the fields'.
    """
    fits = 0
    total = 0
    bend = 0.0
    extent = 0.0
    for j in range(len(x)):
        if x[j] == y[j] and x[j] == a[j] and x[j] == b[j]:
            continue
        if not (is_number(x[j]) and is_number(y[j]) and is_number(a[j]) and is_number(b[j])):
            continue
        if _crosses(x[j], y[j], ranges[j]) and _crosses(a[j], b[j], ranges[j]):
            continue
        total += 1
        off = abs(np.float64(x[j]) + y[j] - a[j] - b[j])
        span = abs(np.float64(x[j]) - y[j]) + abs(np.float64(a[j]) - b[j])
        size = abs(np.float64(x[j])) + abs(np.float64(a[j]))
        bend += off * off
        extent += span * span
        if off <= LINE_TOLERANCE * span + ROUNDING * size + 2.0 * rounded and span > 32.0 * rounded:
            fits += 1
    if total >= WIDE and bend <= CURVED**2 * extent:
        return True
    return total >= 3 and fits >= min(least, total) and fits * 3 >= total


@borrowing
def as_number(x: float, gap: float) -> float:
    """Return a cell as a plain number: `gap` for a gap, one in [-1, 0] for a category."""
    if np.isnan(x):
        return gap
    if x < CEILING:
        return float(x / 1e30 + 1.0)
    return float(x)
