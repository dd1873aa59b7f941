"""Several fields at once: lines, mirrors and pairs among remembered queries (compiled)."""

from typing import Any

import numpy as np

from detector.features import geometry
from detector.features.observation import Probe
from detector.features.state import NATURAL_ROOT
from detector.kit.compiled import compiled

_COLLINEAR, _SYMMETRIC = int(Probe.COLLINEAR), int(Probe.SYMMETRIC)
_NATURAL_ROOT = NATURAL_ROOT


@compiled
def line_or_mirror(
    z: Any,
    first: float,
    second: float,
    noise: float,
    least: int,
    memory: Any,
    lines: Any,
    order: Any,
) -> tuple[int, int, int]:
    """Return (probe, j, k) when z stands on a line or mirror of two remembered queries, else -1."""
    for j in range(len(order)):
        if order[j] == 0:
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


@compiled
def closes_pair(
    z: Any, first: float, second: float, noise: float, least: int, memory: Any, lines: Any,
    order: Any, newest: int,
) -> bool:  # fmt: skip
    """Whether z and the newest query have the midpoint of another remembered pair."""
    s1 = first + lines[newest, 0]
    s2 = second + lines[newest, 1]
    size = abs(first) + abs(second) + 1e-9
    for j in range(len(order)):
        if order[j] == 0 or j == newest:
            continue
        for k in range(j):
            if order[k] == 0 or k == newest:
                continue
            off = abs(s1 - lines[j, 0] - lines[k, 0]) + abs(s2 - lines[j, 1] - lines[k, 1])
            if off > 2e-2 * size + 6.0 * noise:
                continue
            if geometry.same_center(z, memory[newest], memory[j], memory[k], noise, least):
                return True
    return False


@compiled
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
