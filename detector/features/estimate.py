"""Estimates in single precision, many at once, which spare most exact measurements (compiled).

None of them decides anything: each errs by a known bound and on the side of measuring, so that what
is then measured is the same as if all were.
"""

from typing import Any

import numpy as np

from detector.features.state import CELLS, MOST_SLOTS
from detector.kit.compiled import borrowing, estimating

# Sums of 64 squares in single precision are nearer; what is too small for it counts as nothing.
ESTIMATE, NOTHING = 1e-5, 1e-30
# Room of the estimates: a row each of which, wide enough for whole vectors of slots and of cells.
SQUARES, CHANGES, FIRST, SECOND = range(4)
ROOM = (4, max(CELLS, MOST_SLOTS + 15))
VECTOR = 16
# A number far from all others on one side stands on no line with them.
NOWHERE = np.float32(1e30)
ALIGNED = np.float32(4.1e-3)


@estimating
def _is_complete(z: Any) -> bool:
    """Whether all cells are finite: none is a gap."""
    odd = np.int32(0)
    for j in range(len(z)):
        odd += np.int32(z[j] - z[j] != 0.0)
    return bool(odd == 0)


@estimating
def _resemble_complete(z: Any, other: Any) -> tuple[int, float]:
    """As `resemble`, of a query without gaps: then whatever differs has a difference."""
    changed = np.int32(0)
    square = np.float32(0.0)
    one = np.float32(1.0)
    for j in range(len(z)):
        step = z[j] - other[j]
        part = step * step
        square += part if part < one else one
        changed += np.int32(step != 0.0)
    return int(changed), float(square)


@estimating
def resemble(z: Any, other: Any) -> tuple[int, float]:
    """Return (changed fields, squared distance within a share of `ESTIMATE`), as `compare` has it.

    Without a branch, which takes a third of the time. The square of what is no step between two
    numbers is no number or beyond all, and counts as 1.
    """
    changed = np.int32(0)
    square = np.float32(0.0)
    one = np.float32(1.0)
    for j in range(len(z)):
        x, y = z[j], other[j]
        differ = (x != y) & ((x == x) | (y == y))
        step = x - y
        part = step * step
        part = part if part < one else one
        square += part if differ else np.float32(0.0)
        changed += np.int32(differ)
    return int(changed), float(square)


@borrowing
def resemble_all(z: Any, queries: Any, order: Any, room: Any) -> float:
    """Put the estimates of z and each remembered query into the room; return the least distance.

    That is the bound within which a query may be the nearest of those that differ.
    """
    complete = _is_complete(z)
    least = np.inf
    for m in range(len(order)):
        if order[m] == 0:
            continue
        changed, square = _resemble_complete(z, queries[m]) if complete else resemble(z, queries[m])
        room[CHANGES, m] = changed
        room[SQUARES, m] = square
        if changed > 0:
            least = min(least, square)
    return least * (1.0 + 3.0 * ESTIMATE) + NOTHING


@estimating
def _vectors(count: int) -> int:
    """Return the count of slots, filled up to whole vectors."""
    return (count + VECTOR - 1) // VECTOR * VECTOR


@borrowing
def project_all(first: float, second: float, lines: Any, order: Any, room: Any) -> None:
    """Put the images of the remembered queries into the room, as seen from that of a query."""
    for m in range(_vectors(len(order))):
        room[FIRST, m] = 0.0
        room[SECOND, m] = NOWHERE
    for m in range(len(order)):
        if order[m] > 0:
            room[FIRST, m] = first - lines[m, 0]
            room[SECOND, m] = second - lines[m, 1]


@estimating
def may_align(j: int, noise: float, room: Any) -> bool:
    """Whether an image before the j-th may stand on a line through it and the query's."""
    first, second = room[FIRST], room[SECOND]
    a1, a2 = first[j], second[j]
    slack = np.float32(1e-11 + 3.1 * noise * (abs(a1) + abs(a2)))
    hits = np.int32(0)
    for k in range(_vectors(j)):
        left, right = a1 * second[k], a2 * first[k]
        hits += np.int32(not (abs(left - right) > ALIGNED * (abs(left) + abs(right)) + slack))
    # It does so with itself where it is among them.
    return bool(hits > (_vectors(j) > j))


@estimating
def may_centre(j: int, first: float, second: float, within: float, room: Any) -> bool:
    """Whether an image before the j-th may have (first, second) as its place beside the j-th."""
    x, y = room[FIRST], room[SECOND]
    c1, c2, bound = np.float32(first), np.float32(second), np.float32(within)
    hits = np.int32(0)
    for k in range(_vectors(j)):
        hits += np.int32(not (abs(c1 + x[k]) + abs(c2 + y[k]) > bound))
    return bool(hits > 0)
