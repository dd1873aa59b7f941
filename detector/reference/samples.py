"""A reference's rows as the stuff that other benign clients are made of."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from detector.events.batch import CATEGORY_CEILING, Floats
from detector.reference.fields import Fields
from detector.reference.fit import MAX_POINTS, capped
from detector.reference.units import LIMIT

# The least share of rows that is more than an oddity.
USUAL = 0.015
MIN_CLIENTS, MOST_OF_ONE = 3, 0.5


def usual_rows(owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return numbers of rows of the (n,) clients: no more of one or in all than is learnt from."""
    kept = capped(owner)
    return kept[:: 1 + len(kept) // MAX_POINTS]


def alike(rows: NDArray[np.int64], owner: NDArray[np.int64], rng: Generator) -> NDArray[np.int64]:
    """Draw as many again of these rows, as many of one client as of another.

    An intruder that asked more than others must not say more of what is usual.
    """
    clients = owner[rows]
    drawn = np.empty_like(rows)
    chosen = rng.choice(np.unique(clients), len(rows))
    for client in np.unique(chosen):
        theirs = chosen == client
        drawn[theirs] = rng.choice(rows[clients == client], int(theirs.sum()))
    return drawn


def distinct_rows(cells: Floats, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first of each of these rows that are equal; rows with gaps are all different."""
    _, first = np.unique(cells[rows], axis=0, return_index=True)
    return rows[np.sort(first)]


def points(cells: Floats) -> Floats:
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
        columns += [column == code for code in found[counts >= USUAL * len(column)]]
        if gaps.any():
            columns.append(gaps)
    return np.column_stack(columns).astype(np.float64)


def of_many(owner: NDArray[np.int64]) -> bool:
    """Return whether rows of these (n,) clients are those of a group, and not one client's.

    What is made of a single client's rows would be its own: an intruder must not say what is usual.
    """
    _, counts = np.unique(owner, return_counts=True)
    return len(counts) >= MIN_CLIENTS and bool(counts.max() <= MOST_OF_ONE * counts.sum())


def moved(cells: Floats, by: Floats, fields: Fields) -> Floats:
    """Return (n, d) cells with numbers moved by so much, on their fields' grids and ranges."""
    step = np.where(fields.grid > 0.0, fields.grid, 1.0)
    anywhere = cells + by
    snapped = fields.origin + np.round((anywhere - fields.origin) / step) * step
    snapped = np.where(fields.grid > 0.0, snapped, anywhere)
    low, high = fields.knots[:, 0], fields.knots[:, -1]
    numbers = (cells >= CATEGORY_CEILING) & np.isfinite(low)
    return np.where(numbers, np.clip(snapped, low, high), cells)
