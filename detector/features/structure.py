"""Several fields at once: lines, mirrors and pairs among remembered queries (compiled)."""

from typing import Any

import numpy as np

from detector.features import geometry
from detector.features.observation import Probe
from detector.features.state import MEMORY
from detector.kit.compiled import compiled

_COLLINEAR, _SYMMETRIC = int(Probe.COLLINEAR), int(Probe.SYMMETRIC)


@compiled
def line_or_mirror(z: Any, first: float, second: float, memory: Any, lines: Any, order: Any) -> int:
    """Return the probe when z stands on a line or mirror of two remembered queries, else -1."""
    for j in range(MEMORY):
        if order[j] == 0:
            continue
        a1 = first - lines[j, 0]
        a2 = second - lines[j, 1]
        for k in range(j):
            if order[k] == 0:
                continue
            left = a1 * (second - lines[k, 1])
            right = a2 * (first - lines[k, 0])
            if abs(left - right) > 4e-3 * (abs(left) + abs(right)) + 1e-12:
                continue
            t = geometry.on_line(z, memory[j], memory[k])
            if np.isnan(t):
                continue
            if abs(t - 2.0) < 0.01 or abs(t - 0.5) < 0.005:
                return _SYMMETRIC
            return _COLLINEAR
    return -1


@compiled
def closes_pair(
    z: Any, first: float, second: float, memory: Any, lines: Any, order: Any, newest: int
) -> bool:
    """Whether z and the newest query have the midpoint of another remembered pair."""
    s1 = first + lines[newest, 0]
    s2 = second + lines[newest, 1]
    size = abs(first) + abs(second) + 1e-9
    for j in range(MEMORY):
        if order[j] == 0 or j == newest:
            continue
        for k in range(j):
            if order[k] == 0 or k == newest:
                continue
            off = abs(s1 - lines[j, 0] - lines[k, 0]) + abs(s2 - lines[j, 1] - lines[k, 1])
            if off <= 2e-2 * size and geometry.same_center(z, memory[newest], memory[j], memory[k]):
                return True
    return False
