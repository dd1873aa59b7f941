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

from detector.events.batch import Floats
from detector.reference.fields import Fields
from detector.reference.fit import clustered, relearn
from detector.reference.picture import Reference
from detector.reference.samples import (
    USUAL,
    distinct_rows,
    moved,
    of_many,
    points,
    usual_rows,
)

PARTITIONS = (8, 16)
LARGEST = 0.6
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
    kept = usual_rows(owner)
    rng = np.random.default_rng(0)
    yield from _left_out(reference, cells, owner, kept, rng)
    distinct = distinct_rows(cells, kept)
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
    places = points(cells[kept])
    for count in PARTITIONS:
        for part in _parts(places, count):
            if USUAL <= part.mean() <= LARGEST and of_many(owner[kept[part]]):
                rows = rng.permutation(distinct_rows(cells, kept[part]))[:ROWS_A_GROUP]
                rest = kept[~part]
                taught = relearn(reference, cells[rest], owner[rest])
                yield Newcomers(rows, cells[rows], taught)


def _noisy(cells: Floats, fields: Fields, size: float, rng: Generator) -> Floats:
    """Return (m, d) cells with normal noise in the numbers."""
    return moved(cells, size * fields.scale * rng.standard_normal(cells.shape), fields)


def _parts(places: Floats, count: int) -> Iterator[NDArray[np.bool_]]:
    """Return (n,) masks of up to `count` clusters of the places."""
    model = clustered(places, min(count, len(np.unique(places, axis=0))))
    for number in range(model.n_clusters):
        yield model.labels_ == number
