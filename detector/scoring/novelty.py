"""A shared novelty model over client feature vectors: unlike all benign clients, whatever it is.

River's half-space trees (Tan, Ting and Liu 2011), learnt from one half of the reference's client
vectors and calibrated on the other. Live traffic never moves it: it is rebuilt, with a fixed seed,
from the vectors that the reference holds.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river.anomaly import HalfSpaceTrees

from detector.events.batch import Floats
from detector.features.catalogue import CATALOGUE
from detector.kit.compiled import borrowing

MIN_VECTORS = 40
TREES = 25
HEIGHT = 6
MOST_KEPT = 64
"""References whose models are kept, some 100 KB each."""

IGNORED = frozenset({"queries"})


@borrowing
def _mass(item: Any, features: Any, thresholds: Any, masses: Any, least: float) -> float:
    """Return the sum over the trees of the mass on the item's path, as river's trees take it.

    Each tree (2^(h + 1) - 1 nodes) is a row, the children of node i at 2 i + 1 and 2 i + 2.
    """
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


def _flatten(trees: HalfSpaceTrees) -> tuple[Any, Any, Any]:
    """Return each tree's features (-1 for a leaf), thresholds and masses, (trees, nodes)."""
    place = {feature.name: i for i, feature in enumerate(CATALOGUE)}
    shape = (len(trees.trees), 2 ** (trees.height + 1) - 1)
    features, thresholds, masses = np.full(shape, -1), np.zeros(shape), np.zeros(shape)
    for t, tree in enumerate(trees.trees):
        level = [tree]
        for begin in (2**depth - 1 for depth in range(trees.height + 1)):
            for i, node in enumerate(level, begin):
                masses[t, i] = node.r_mass
                if begin < 2**trees.height - 1:
                    features[t, i], thresholds[t, i] = place[node.feature], node.threshold
            level = [child for node in level for child in getattr(node, "children", ())]
    return features, thresholds, masses


class NoveltyModel:
    """Scores client vectors in catalogue order; higher is stranger."""

    def __init__(self, vectors: Floats) -> None:
        """Learn from (c, f) vectors of benign clients; c is at least `MIN_VECTORS`."""
        self._low = vectors.min(axis=0)
        self._span = np.maximum(vectors.max(axis=0) - self._low, 1e-9)
        learn = vectors[::2]
        self._trees = HalfSpaceTrees(n_trees=TREES, height=HEIGHT, window_size=len(learn), seed=0)
        for item in learn:
            self._trees.learn_one(self._inputs(item))
        self._forest = _flatten(self._trees)
        self._benign = np.sort(self.scores(vectors[1::2]))

    @property
    def profiles(self) -> int:
        """Number of benign profiles behind the p-value."""
        return len(self._benign)

    def _unit(self, item: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the features in [0, 1], as the trees expect; beyond the benign range is an end."""
        return np.asarray(np.clip((item - self._low) / self._span, 0.0, 1.0), dtype=np.float64)

    def _inputs(self, item: NDArray[np.float64]) -> dict[str, float]:
        pairs = zip(CATALOGUE, self._unit(item).tolist(), strict=True)
        return {f.name: v for f, v in pairs if f.name not in IGNORED}

    def scores(self, items: Floats) -> Floats:
        """Return the trees' anomaly scores in [0, 1] of (n, f) client vectors."""
        # The trees never learn again, so that arrays of them score alike, twenty times faster.
        masses = np.empty(len(items))
        _weigh(self._unit(items), self._forest, float(self._trees.size_limit), masses)
        return np.asarray(1.0 - masses / self._trees._max_score)

    def p_values(self, items: Floats) -> Floats:
        """Return the conformal p-values of (n, f) client vectors being benign."""
        benign = self._benign
        at_least = len(benign) - np.searchsorted(benign, self.scores(items), "left")
        return np.asarray((1 + at_least) / (1 + len(benign)))


def fit_novelty(vectors: Floats) -> NoveltyModel | None:
    """Return the model, or None where the reference holds too few clients."""
    if vectors.ndim != 2 or len(vectors) < MIN_VECTORS or vectors.shape[1] != len(CATALOGUE):
        return None
    return _fitted(vectors.tobytes(), len(vectors))


@lru_cache(maxsize=MOST_KEPT)
def _fitted(vectors: bytes, count: int) -> NoveltyModel:
    """Fit once: every partition of a model asks anew, at every claim, and nothing moves a model."""
    return NoveltyModel(np.frombuffer(vectors).reshape(count, -1))
