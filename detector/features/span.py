"""Points of a low-dimensional space: generators and latent searches make no others (compiled)."""

from typing import Any

import numpy as np

from detector.features.geometry import is_number
from detector.features.state import KEPT
from detector.kit.compiled import compiled

_KEPT = KEPT

SPAN = 8
SPARE = 4
# What is left of a point beside a few directions, and beside all, in shares of itself.
FEW = 3
LEFT_OF_FEW = 0.1
LEFT = 0.005


@compiled
def _newest_kept(count: int, held: Any) -> Any:
    """Return the (count,) slots of the newest conspicuous queries, -1 for want of them."""
    slots = np.full(count, -1)
    before = np.iinfo(np.int32).max
    for i in range(count):
        for m in range(len(held.order)):
            newer = slots[i] < 0 or held.order[m] > held.order[slots[i]]
            if held.marks[m] & _KEPT and 0 < held.order[m] < before and newer:
                slots[i] = m
        if slots[i] < 0:
            break
        before = held.order[slots[i]]
    return slots


@compiled
def _free_fields(z: Any, slots: Any, queries: Any) -> Any:
    """Return the numbers in which no two of the queries agree: others are clipped or rounded."""
    free = np.zeros(len(z), dtype=np.bool_)
    for j in range(len(z)):
        free[j] = is_number(z[j])
        for i in range(len(slots)):
            value = queries[slots[i], j]
            free[j] = free[j] and is_number(value) and value != z[j]
            for k in range(i):
                free[j] = free[j] and value != queries[slots[k], j]
            if not free[j]:
                break
    return np.flatnonzero(free)


@compiled
def in_span(z: Any, held: Any) -> bool:
    """Whether z stands in the affine span of the newest conspicuous queries, not of three of them.

    Modified Gram-Schmidt on the differences from the newest, each field in units of its range among
    them. A smooth process stands near lines and planes; natural rows leave more of themselves.
    """
    if len(z) < SPAN + SPARE:
        return False
    slots = _newest_kept(SPAN + 1, held)
    if slots[SPAN] < 0:
        return False
    fields = _free_fields(z, slots, held.queries)
    if len(fields) < SPAN + SPARE:
        return False
    rest = np.empty((SPAN + 1, len(fields)))
    for f in range(len(fields)):
        j = fields[f]
        origin = np.float64(held.queries[slots[0], j])
        low = high = origin
        for i in range(1, SPAN + 1):
            value = np.float64(held.queries[slots[i], j])
            low, high = min(low, value), max(high, value)
            rest[i - 1, f] = value - origin
        rest[SPAN, f] = z[j] - origin
        rest[:, f] /= high - low
    whole = np.sqrt((rest[SPAN] ** 2).sum())
    left = 1.0
    for i in range(SPAN):
        size = (rest[i] ** 2).sum()
        if size < 1e-8 * len(fields):
            continue
        for k in range(i + 1, SPAN + 1):
            rest[k] -= (rest[i] * rest[k]).sum() / size * rest[i]
        left = np.sqrt((rest[SPAN] ** 2).sum()) / whole
        if i < FEW and left < LEFT_OF_FEW:
            return False
    return bool(left <= LEFT)
