"""Clients that a reference has never seen, made of those that it has.

A new group of customers differs in its fields and relations, and nobody knows how until it comes.
How much a group of this model's inputs differs from the others does show: each part of the benign
rows is left out in turn, and judged by what the rest teaches (leave-one-cluster-out
cross-validation). A client may also measure less exactly than all others, which breaks the closer
relations: the same rows are judged with noise of several sizes in every number.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from detector.events.batch import CATEGORY_CEILING, Floats
from detector.reference.fields import Fields
from detector.reference.fit import capped, relearn
from detector.reference.picture import Reference
from detector.reference.units import LIMIT

PARTITIONS = (8, 16)
SMALLEST, LARGEST = 0.015, 0.6
MAX_POINTS = 8192
MIN_CLIENTS, MOST_OF_ONE = 3, 0.5
ROWS_A_GROUP = 320
# In shares of the distance between the fields' 10% and 90% quantiles.
NOISE = (0.05, 0.1, 0.2)


@dataclass(frozen=True, slots=True)
class Newcomers:
    """One group, as if it came when the reference was learnt already.

    Attributes:
        rows: (m,) numbers of the rows that it is made of, in a random order.
        cells: (m, d) what it sends.
        reference: What is known when it comes: its fields and relations; the rest is that of all.
    """

    rows: NDArray[np.int64]
    cells: Floats
    reference: Reference


def newcomers(reference: Reference, cells: Floats, owner: NDArray[np.int64]) -> Iterator[Newcomers]:
    """Make groups of (n, d) folded benign cells of the (n,) clients, deterministically."""
    kept = capped(owner)
    kept = kept[:: 1 + len(kept) // MAX_POINTS]
    rng = np.random.default_rng(0)
    yield from _left_out(reference, cells, owner, kept, rng)
    for size in NOISE:
        rows = _some(cells, kept, rng)
        sent = _noisy(cells[rows], reference.fields, size, rng)
        yield Newcomers(rows, sent, reference)


def _left_out(
    reference: Reference, cells: Floats, owner: NDArray[np.int64], kept: NDArray[np.int64],
    rng: Generator,
) -> Iterator[Newcomers]:  # fmt: skip
    """Leave out part after part of the kept rows.

    Parts are clusters of the rows, of several sizes. What is too small, holds most of the rows or
    is mostly one client's is no group: an intruder must not say how groups differ.
    """
    points = _points(cells[kept])
    for count in PARTITIONS:
        for part in _parts(points, count):
            if SMALLEST <= part.mean() <= LARGEST and _of_many(owner[kept[part]]):
                rows, rest = _some(cells, kept[part], rng), kept[~part]
                yield Newcomers(rows, cells[rows], relearn(reference, cells[rest]))


def _some(cells: Floats, rows: NDArray[np.int64], rng: Generator) -> NDArray[np.int64]:
    """Return at most `ROWS_A_GROUP` of these rows that are distinct."""
    _, first = np.unique(cells[rows], axis=0, return_index=True)
    return rng.permutation(rows[np.sort(first)])[:ROWS_A_GROUP]


def _noisy(cells: Floats, fields: Fields, size: float, rng: Generator) -> Floats:
    """Return (m, d) cells with normal noise in the numbers, on the fields' grids and ranges."""
    moved = cells + size * fields.scale * rng.standard_normal(cells.shape)
    step = np.where(fields.grid > 0.0, fields.grid, 1.0)
    snapped = fields.origin + np.round((moved - fields.origin) / step) * step
    moved = np.where(fields.grid > 0.0, snapped, moved)
    low, high = fields.knots[:, 0], fields.knots[:, -1]
    numbers = (cells >= CATEGORY_CEILING) & np.isfinite(low)
    return np.where(numbers, np.clip(moved, low, high), cells)


def _of_many(owner: NDArray[np.int64]) -> bool:
    """Return whether rows of these clients are those of a group."""
    _, counts = np.unique(owner, return_counts=True)
    return len(counts) >= MIN_CLIENTS and bool(counts.max() <= MOST_OF_ONE * counts.sum())


def _points(cells: Floats) -> Floats:
    """Return (n, d) cells as points: z-scores, and a column for each usual category and for gaps.

    Standard deviations, not quantiles: a flag that few set is what sets a group apart.
    """
    columns = [np.zeros(len(cells))]
    for column in cells.T:
        texts, gaps = column < CATEGORY_CEILING, np.isnan(column)
        numbers = np.where(texts | gaps, np.nan, column)
        if not np.isnan(numbers).all():
            spread = float(np.nanstd(numbers))
            scores = (numbers - np.nanmean(numbers)) / (spread if spread > 0.0 else 1.0)
            columns.append(np.clip(np.nan_to_num(scores), -LIMIT, LIMIT))
        found, counts = np.unique(column[texts], return_counts=True)
        columns += [column == code for code in found[counts >= SMALLEST * len(column)]]
        if gaps.any():
            columns.append(gaps)
    return np.column_stack(columns).astype(np.float64)


def _parts(points: Floats, count: int) -> Iterator[NDArray[np.bool_]]:
    """Return (n,) masks of up to `count` clusters of the points."""
    count = min(count, len(np.unique(points, axis=0)))
    # More threads add in another order, and a reference must come out the same everywhere.
    with threadpool_limits(1):
        labels = KMeans(count, n_init=1, max_iter=25, random_state=0).fit_predict(points)
    for number in range(count):
        yield labels == number
