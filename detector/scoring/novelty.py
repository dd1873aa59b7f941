"""A shared novelty model over client feature vectors: unlike all benign clients, whatever it is.

River's half-space trees (Tan, Ting and Liu 2011), learnt from one half of the reference's client
vectors and calibrated on the other. Live traffic never moves it: it is rebuilt, with a fixed seed,
from the vectors that the reference holds.
"""

import numpy as np
from numpy.typing import NDArray
from river.anomaly import HalfSpaceTrees

from detector.events.batch import Floats
from detector.features.catalogue import CATALOGUE

MIN_VECTORS = 40
TREES = 25
HEIGHT = 6
IGNORED = frozenset({"queries"})


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
        self._benign = np.sort([self.score(item) for item in vectors[1::2]])

    @property
    def profiles(self) -> int:
        """Number of benign profiles behind the p-value."""
        return len(self._benign)

    def _inputs(self, item: NDArray[np.float64]) -> dict[str, float]:
        """Return the features in [0, 1], as the trees expect; beyond the benign range is an end."""
        values = np.clip((item - self._low) / self._span, 0.0, 1.0)
        pairs = zip(CATALOGUE, values, strict=True)
        return {f.name: float(v) for f, v in pairs if f.name not in IGNORED}

    def score(self, item: NDArray[np.float64]) -> float:
        """Return the trees' anomaly score in [0, 1] of one client vector."""
        return float(self._trees.score_one(self._inputs(item)))

    def p_value(self, item: NDArray[np.float64]) -> float:
        """Return the conformal p-value of a client vector being benign."""
        at_least = len(self._benign) - np.searchsorted(self._benign, self.score(item), "left")
        return float((1 + at_least) / (1 + len(self._benign)))


def fit_novelty(vectors: Floats) -> NoveltyModel | None:
    """Return the model, or None where the reference holds too few clients."""
    if vectors.ndim != 2 or len(vectors) < MIN_VECTORS or vectors.shape[1] != len(CATALOGUE):
        return None
    return NoveltyModel(vectors)
