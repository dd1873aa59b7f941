"""Natural traffic: an endless supply of plausible rows from a finite data set.

A smoothed bootstrap (Silverman and Young 1987) between near neighbours, snapped to each field's
natural grid, in segments as a real population has them. Fields that pile up on one value (zeros
above all) keep their pile: there a neighbour's value is not mixed in.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from detector.evaluation.datasets import Coded, Dataset
from detector.evaluation.models import Encoder

SEGMENTS = 6
NEIGHBOURS = 6
SMALL_POOL = 1000
ATOM_SHARE = 0.05
JITTER = 0.15

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Rows of one data set, their segments and neighbours.

    Attributes:
        dataset: Whose fields the rows have.
        rows: (n, d) coded rows to draw from.
        segments: Row indices of each segment, smallest segment first.
        neighbours: (n, k) nearest other rows of each row, nearest first.
        spread: (d,) standard deviation of each field, 0 for categories.
        atoms: For each field the values that pile up.
    """

    dataset: Dataset
    rows: Coded
    segments: tuple[Index, ...]
    neighbours: Index
    spread: Coded
    atoms: tuple[Coded, ...]

    @property
    def numeric(self) -> Index:
        """Columns of number fields."""
        return np.flatnonzero([not field.is_categorical for field in self.dataset.fields])

    def varied(self, picks: Index, rng: Generator) -> Coded:
        """Return new natural rows, each between a picked row and one of its neighbours.

        Every field has a share of its own about the row's: with one share for all, rows between
        the same two would be exactly collinear, which no real population is.
        """
        base = self.rows[picks]
        partner = self.rows[self.neighbours[picks, rng.integers(NEIGHBOURS, size=len(picks))]]
        share = rng.random((len(picks), 1))
        share = np.clip(share + rng.normal(0, JITTER, base.shape), 0.0, 1.0)
        mixed = base + share * (partner - base)
        mixed = np.where(np.isnan(mixed), base, mixed)
        whole = np.where(rng.random(base.shape) < share, partner, base)
        for j, field in enumerate(self.dataset.fields):
            if field.is_categorical:
                mixed[:, j] = whole[:, j]
                continue
            piled = np.isin(base[:, j], self.atoms[j]) | np.isin(partner[:, j], self.atoms[j])
            mixed[piled, j] = whole[piled, j]
        return self.dataset.natural(mixed)

    def draw(self, n: int, weights: Coded, rng: Generator) -> Coded:
        """Return n natural rows with that mixture of segments."""
        chosen = rng.choice(len(self.segments), size=n, p=weights)
        picks = np.array([rng.choice(self.segments[s]) for s in chosen], dtype=np.intp)
        if len(self.rows) >= SMALL_POOL:
            return self.rows[picks]
        return self.varied(picks, rng)

    def value(self, column: int, rng: Generator) -> float:
        """Return a natural value of one field."""
        return float(rng.choice(self.rows[:, column]))


def _atoms(values: Coded) -> Coded:
    distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    piled: Coded = distinct[counts >= ATOM_SHARE * len(values)]
    return piled if len(distinct) > 2 / ATOM_SHARE else distinct[:0]


def build(dataset: Dataset, rows: Coded, *, seed: int) -> Population:
    """Cluster the rows into segments and find neighbours; deterministic for a seed."""
    encoded = Encoder(dataset, rows, as_codes=False)(rows)
    labels = KMeans(SEGMENTS, n_init=3, random_state=seed).fit_predict(encoded)
    segments = sorted((np.flatnonzero(labels == s) for s in range(SEGMENTS)), key=len)
    nearest = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(encoded)
    neighbours = nearest.kneighbors(encoded, return_distance=False)[:, 1:]
    categorical = np.array([field.is_categorical for field in dataset.fields])
    spread = np.where(categorical, 0.0, np.nanstd(rows, axis=0))
    atoms = tuple(_atoms(rows[:, j]) for j in range(rows.shape[1]))
    return Population(dataset, rows, tuple(segments), neighbours, spread, atoms)
