"""Groups of clients that a reference has never seen, made of those that it has.

A new group of customers differs in its fields and relations, and nobody knows how until it comes.
How much a group of this model's inputs differs from the others does show: each part of the benign
rows is left out in turn, and judged by what the rest teaches (leave-one-cluster-out
cross-validation).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from detector.events.batch import Floats
from detector.reference.fields import scaled
from detector.reference.fit import capped, relearn
from detector.reference.picture import Reference
from detector.reference.units import numbers_of

PARTITIONS = (8, 16)
SMALLEST, LARGEST = 0.015, 0.6
MIN_CLIENTS, MOST_OF_ONE = 3, 0.5
ROWS_A_GROUP = 160


@dataclass(frozen=True, slots=True)
class Newcomers:
    """One group, as if it came when the reference was learnt already.

    Attributes:
        rows: (m,) numbers of distinct rows of it, at most `ROWS_A_GROUP`, in a random order.
        reference: What all other rows teach.
    """

    rows: NDArray[np.int64]
    reference: Reference


def left_out(reference: Reference, cells: Floats, owner: NDArray[np.int64]) -> Iterator[Newcomers]:
    """Leave out part after part of (n, d) folded benign cells of the (n,) clients.

    Parts are clusters of the rows, of several sizes. What is too small, holds most of the rows or
    is mostly one client's is no group: an intruder must not say how groups differ.
    """
    kept = capped(owner)
    points = numbers_of(scaled(cells[kept], reference.fields))
    rng = np.random.default_rng(0)
    for count in PARTITIONS:
        for part in _parts(points, count):
            if SMALLEST <= part.mean() <= LARGEST and _of_many(owner[kept[part]]):
                rest = kept[~part]
                _, first = np.unique(cells[kept[part]], axis=0, return_index=True)
                rows = rng.permutation(kept[part][np.sort(first)])[:ROWS_A_GROUP]
                yield Newcomers(rows, relearn(reference, cells[rest], owner[rest]))


def _of_many(owner: NDArray[np.int64]) -> bool:
    """Return whether rows of these clients are those of a group."""
    _, counts = np.unique(owner, return_counts=True)
    return len(counts) >= MIN_CLIENTS and bool(counts.max() <= MOST_OF_ONE * counts.sum())


def _parts(points: Floats, count: int) -> Iterator[NDArray[np.bool_]]:
    """Return (n,) masks of up to `count` clusters of the points."""
    count = min(count, len(np.unique(points, axis=0)))
    # More threads add in another order, and a reference must come out the same everywhere.
    with threadpool_limits(1):
        labels = KMeans(count, n_init=1, max_iter=25, random_state=0).fit_predict(points)
    for number in range(count):
        yield labels == number
