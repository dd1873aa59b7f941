"""The trees that tell strange client vectors, as a reference keeps them.

Half-space trees (Tan, Ting and Liu 2011). They are kept and not learnt anew: a version of the
library that grows them otherwise changes no judgement, and who only judges does not load it.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import Floats
from detector.kit.compiled import borrowing

LEAST_SHARE = 0.1
"""Of the learnt vectors; a path ends at a node that fewer came by (the paper's size limit)."""
MIN_VECTORS = 40
AGE = 0
"""Which feature of a client's vector is the number of its queries."""


def lives(vectors: Floats) -> NDArray[np.int64]:
    """Return the number, from 1, of the client of each of (v, f) vectors, client after client.

    A client's vectors stand in the order of its ages, so the next begins where these do not rise.
    """
    return np.cumsum(np.diff(vectors[:, AGE], prepend=np.inf) <= 0.0)


def suffice(vectors: Floats, width: int) -> bool:
    """Return whether client vectors are enough, and of the features that there are, for trees."""
    return vectors.ndim == 2 and len(vectors) >= MIN_VECTORS and vectors.shape[1] == width


@borrowing
def _mass(item: Any, features: Any, thresholds: Any, masses: Any, least: float) -> float:
    """Return the sum over the trees of the mass on the item's path, as river's trees take it."""
    total = 0.0
    for t in range(len(masses)):
        node, weight, own = 0, 1.0, 0.0
        while True:
            own += masses[t, node] * weight
            if features[t, node] < 0 or masses[t, node] < least:
                break
            low = item[features[t, node]] < thresholds[t, node]
            node = 2 * node + (1 if low else 2)
            weight *= 2.0
        total += own
    return total


@borrowing
def _weigh(items: Any, forest: Any, least: float, out: Any) -> None:
    features, thresholds, masses = forest
    for i in range(len(items)):
        out[i] = _mass(items[i], features, thresholds, masses, least)


def unit(items: Floats, low: Floats, span: Floats) -> NDArray[np.float64]:
    """Return (n, f) vectors in [0, 1], as trees expect; beyond the benign range is an end."""
    return np.asarray(np.clip((items - low) / span, 0.0, 1.0), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Forest:
    """Half-space trees over (f,) client vectors; t trees of n nodes, 0 where there are none.

    The children of node i are nodes 2 i + 1, for what lies below its threshold, and 2 i + 2.

    Attributes:
        features: (t, n) number of the feature that a node divides, -1 for a leaf.
        thresholds: (t, n) where it divides it, in units of the range.
        masses: (t, n) how many of the learnt vectors came by.
        window: How many vectors were learnt.
        low: (f,) lowest value of each feature.
        span: (f,) range of each, never 0.
        benign: (b,) sorted strangeness of benign clients that were not learnt: of each the most at
            any age.
        usual: (k, 2) ages in queries at which clients are judged, and the mean score at each;
            without rows where the trees were grown before there were ages.
    """

    features: Floats
    thresholds: Floats
    masses: Floats
    window: float
    low: Floats
    span: Floats
    benign: Floats
    usual: Floats = field(default_factory=lambda: np.zeros((0, 2)))

    def __len__(self) -> int:
        """How many trees there are."""
        return len(self.masses)

    def scores(self, items: Floats) -> NDArray[np.float64]:
        """Return the anomaly scores in [0, 1] of (n, f) vectors; higher is stranger."""
        trees = self.features.astype(np.int64), self.thresholds, self.masses
        masses = np.empty(len(items))
        _weigh(unit(items, self.low, self.span), trees, LEAST_SHARE * self.window, masses)
        return np.asarray(1.0 - masses / (self.window * self.masses.size))

    def strangeness(self, items: Floats) -> NDArray[np.float64]:
        """Return by how much (n, f) vectors score above the mean of their age, -inf at others."""
        excess = np.full(len(items), -np.inf)
        for age, mean in self.usual:
            there = items[:, AGE] == age
            excess[there] = self.scores(items[there]) - mean
        return excess

    def check(self) -> None:
        """Raise `ValueError` unless the arrays fit together: compiled code trusts them blindly."""
        known = np.ndim(self.window) == 0 and np.isfinite(self.window)
        if not known or (len(self) and not (self.window > 0.0 and len(self.benign))):
            raise ValueError("the trees learnt from nothing")
        numbers = (self.thresholds, self.masses, self.low, self.span, self.benign, self.usual)
        if not all(np.isfinite(each).all() for each in numbers) or (self.span <= 0.0).any():
            raise ValueError("the trees hold what is no number")
        if (np.diff(self.benign, axis=0) < 0.0).any():
            raise ValueError("the trees' scores are not sorted")
        shape, width = self.masses.shape, self.low.shape
        if self.usual.shape != (len(self.usual), 2):
            raise ValueError("the trees know no ages")
        if len(shape) != 2 or self.features.shape != shape or self.thresholds.shape != shape:
            raise ValueError("the trees have different shapes")
        if len(width) != 1 or self.span.shape != width or self.benign.ndim != 1:
            raise ValueError("the trees' scales have different shapes")
        known = np.isin(self.features, np.arange(-1, *width))
        if not known.all() or (self.features[:, shape[1] // 2 :] != -1).any() or shape[1] % 2 == 0:
            raise ValueError("the trees divide what does not exist")


NO_FOREST = Forest(
    np.zeros((0, 1)), np.zeros((0, 1)), np.zeros((0, 1)), 0.0, np.zeros(0), np.zeros(0), np.zeros(0)
)
