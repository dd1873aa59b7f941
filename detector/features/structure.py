"""Several fields at once: lines, mirrors and pairs among remembered queries (compiled)."""

from typing import Any

import numpy as np

from detector.features import geometry
from detector.features.estimate import may_align, may_centre
from detector.features.observation import Probe
from detector.features.state import NATURAL_ROOT
from detector.kit.compiled import borrowing

_COLLINEAR, _SYMMETRIC = int(Probe.COLLINEAR), int(Probe.SYMMETRIC)
_NATURAL_ROOT = NATURAL_ROOT
# Two coordinates halved by chance; a value so near to a grid is on it, others have six digits.
CHANCE = 1e-3
ON_GRID = 0.02
DIGITS = 1e-5
LEAST_STEPS = 4.0


@borrowing
def line_or_mirror(
    z: Any,
    first: float,
    second: float,
    noise: float,
    least: int,
    memory: Any,
    lines: Any,
    order: Any,
    room: Any,
) -> tuple[int, int, int]:
    """Return (probe, j, k) when z stands on a line or mirror of two remembered queries, else -1."""
    for j in range(len(order)):
        if order[j] == 0 or not may_align(j, noise, room):
            continue
        a1 = first - lines[j, 0]
        a2 = second - lines[j, 1]
        slack = 1e-12 + 3.0 * noise * (abs(a1) + abs(a2))
        for k in range(j):
            if order[k] == 0:
                continue
            left = a1 * (second - lines[k, 1])
            right = a2 * (first - lines[k, 0])
            if abs(left - right) > 4e-3 * (abs(left) + abs(right)) + slack:
                continue
            t = geometry.on_line(z, memory[j], memory[k], noise, least)
            if np.isnan(t):
                continue
            if abs(t - 2.0) < 0.01 or abs(t - 0.5) < 0.005:
                return _SYMMETRIC, j, k
            return _COLLINEAR, j, k
    return -1, -1, -1


@borrowing
def closes_pair(
    z: Any, first: float, second: float, span: Any, noise: float, least: int, memory: Any,
    lines: Any, order: Any, newest: int, room: Any,
) -> bool:  # fmt: skip
    """Whether z and the newest query have the midpoint of another remembered pair."""
    s1 = first + lines[newest, 0]
    s2 = second + lines[newest, 1]
    size = abs(first) + abs(second) + 1e-9
    within = 2e-2 * size + 6.0 * noise
    # Single precision errs by a share of what is added up.
    blurred = 1.001 * within + 1e-6 * (size + abs(s1) + abs(s2))
    for j in range(len(order)):
        if order[j] == 0 or j == newest:
            continue
        c1, c2 = s1 - lines[j, 0] - first, s2 - lines[j, 1] - second
        if not may_centre(j, c1, c2, blurred + 1e-6 * (abs(c1) + abs(c2)), room):
            continue
        for k in range(j):
            if order[k] == 0 or k == newest:
                continue
            off = abs(s1 - lines[j, 0] - lines[k, 0]) + abs(s2 - lines[j, 1] - lines[k, 1])
            if off > within:
                continue
            pair = memory[j], memory[k]
            if geometry.same_center(z, memory[newest], *pair, span, noise, least):
                return True
    return False


@borrowing
def older_natural(j: int, k: int, order: Any, marks: Any) -> int:
    """Return which of two remembered queries a line starts from.

    That is the one about a natural record, since searches go out from records; between equals the
    older one.
    """
    about_j = marks[j] & _NATURAL_ROOT
    about_k = marks[k] & _NATURAL_ROOT
    if about_j != about_k:
        return j if about_j else k
    return j if order[j] < order[k] else k


@borrowing
def _other_field(a: Any, b: Any, field: int) -> int:
    """Return the number besides `field` in which a and b differ, -1 unless there is just one."""
    other = -1
    for j in range(len(a)):
        if j == field or geometry.same(a[j], b[j]):
            continue
        if other >= 0 or not (geometry.is_number(a[j]) and geometry.is_number(b[j])):
            return -1
        other = j
    return other


@borrowing
def _rounding(cell: float, field: int, lens: Any) -> float:
    """Return the scaled step that a value is rounded to: its field's, or that of its digits."""
    grid = lens.grid[field]
    multiple = (cell - lens.origin[field]) / grid if grid > 0.0 else 0.5
    if abs(multiple - np.round(multiple)) < max(ON_GRID, lens.slack[field]):
        return grid / lens.scale[field]
    return max(DIGITS * abs(cell) / lens.scale[field], lens.lattice[field])


@borrowing
def _centred(x: float, y: float, middle: float, step: float) -> float:
    """Return the chance that `middle` halves x and y as well as it does, 1 where it does not.

    `step` is the scaled step that they are rounded to.
    """
    extent = abs(np.float64(x) - y)
    slack = step + geometry.ROUNDING * (abs(np.float64(x)) + abs(np.float64(y)))
    if abs(0.5 * (np.float64(x) + y) - middle) > slack or extent < LEAST_STEPS * slack:
        return 1.0
    return slack / extent


@borrowing
def _pair_beside(z: Any, cells: Any, field: int, j: int, k: int, lens: Any, memory: Any) -> float:
    """Return the chance that two remembered queries are a pair in another field about z by chance.

    1 where they are none.
    """
    other = _other_field(z, memory[j], field)
    if other < 0 or memory[k, field] != memory[j, field]:
        return 1.0
    if _other_field(z, memory[k], field) != other:
        return 1.0
    x = memory[j, other]
    cell = cells[other] + lens.scale[other] * (np.float64(x) - z[other])
    return _centred(x, memory[k, other], z[other], _rounding(cell, other, lens))


@borrowing
def closes_cross(
    z: Any, cells: Any, field: int, partner: Any, lens: Any, memory: Any, order: Any
) -> bool:
    """Whether z and its partner in one field have the midpoint of a pair in another field.

    Differences by coordinate are taken so (Chen et al. 2017), whether or not their centre is asked.
    """
    x, y = z[field], partner[field]
    if not (geometry.is_number(x) and geometry.is_number(y)):
        return False
    step = _rounding(cells[field], field, lens)
    for j in range(len(order)):
        if order[j] == 0 or not geometry.is_number(memory[j, field]):
            continue
        chance = _centred(x, y, memory[j, field], step)
        if chance == 1.0:
            continue
        for k in range(j):
            if order[k] == 0:
                continue
            beside = _pair_beside(z, cells, field, j, k, lens, memory)
            if beside < 1.0 and chance * beside <= CHANCE:
                return True
    return False
