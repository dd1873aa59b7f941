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

from detector.events.batch import CATEGORY_CEILING, Floats
from detector.reference.fields import Fields
from detector.reference.fit import MAX_POINTS, capped, clustered, relearn
from detector.reference.picture import Reference
from detector.reference.units import LIMIT

PARTITIONS = (8, 16)
SMALLEST, LARGEST = 0.015, 0.6
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
    distinct = _distinct(cells, kept)
    for size in NOISE:
        rows = rng.permutation(distinct)[:ROWS_A_GROUP]
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
                rows = rng.permutation(_distinct(cells, kept[part]))[:ROWS_A_GROUP]
                yield Newcomers(rows, cells[rows], relearn(reference, cells[kept[~part]]))


def _distinct(cells: Floats, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first of each of these rows that are equal; rows with gaps are all different."""
    _, first = np.unique(cells[rows], axis=0, return_index=True)
    return rows[np.sort(first)]


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
    model = clustered(points, min(count, len(np.unique(points, axis=0))))
    for number in range(model.n_clusters):
        yield model.labels_ == number
