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
def _differences(z: Any, slots: Any, fields: Any, queries: Any) -> Any:
    """Return (SPAN + 1, f) differences from the newest query, the last row that of z.

    Each field is in units of its range among the queries.
    """
    rest = np.empty((SPAN + 1, len(fields)))
    for f in range(len(fields)):
        j = fields[f]
        origin = np.float64(queries[slots[0], j])
        low = high = origin
        for i in range(1, SPAN + 1):
            value = np.float64(queries[slots[i], j])
            low, high = min(low, value), max(high, value)
            rest[i - 1, f] = value - origin
        rest[SPAN, f] = z[j] - origin
        for i in range(SPAN + 1):
            rest[i, f] /= high - low
    return rest


@compiled
def _dot(rest: Any, i: int, k: int) -> float:
    """Return the product of two rows, without a temporary array."""
    total = 0.0
    for f in range(rest.shape[1]):
        total += rest[i, f] * rest[k, f]
    return total


@compiled
def in_span(z: Any, held: Any) -> bool:
    """Whether z stands in the affine span of the newest conspicuous queries, not of three of them.

    Modified Gram-Schmidt on the differences from the newest. A smooth process stands near lines and
    planes; natural rows leave more of themselves.
    """
    if len(z) < SPAN + SPARE:
        return False
    slots = _newest_kept(SPAN + 1, held)
    if slots[SPAN] < 0:
        return False
    fields = _free_fields(z, slots, held.queries)
    if len(fields) < SPAN + SPARE:
        return False
    rest = _differences(z, slots, fields, held.queries)
    whole = _dot(rest, SPAN, SPAN)
    left = whole
    for i in range(SPAN):
        size = _dot(rest, i, i)
        if size < 1e-8 * len(fields):
            continue
        for k in range(i + 1, SPAN + 1):
            share = _dot(rest, i, k) / size
            for f in range(len(fields)):
                rest[k, f] -= share * rest[i, f]
        left = _dot(rest, SPAN, SPAN)
        if i < FEW and left < LEFT_OF_FEW**2 * whole:
            return False
    return bool(left <= LEFT**2 * whole)
