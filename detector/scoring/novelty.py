"""A shared novelty model over client feature vectors: unlike all benign clients, whatever it is.

It judges by the trees that the reference holds. Live traffic never moves them.
"""

from functools import lru_cache

import numpy as np

from detector.events.batch import Floats
from detector.features.catalogue import CATALOGUE
from detector.reference.forest import Forest, suffice
from detector.reference.picture import Reference

MOST_KEPT = 64
"""References without trees of their own whose trees are kept, some 100 KB each."""


class NoveltyModel:
    """Tells how usual client vectors are."""

    def __init__(self, forest: Forest) -> None:
        self._forest = forest

    @property
    def profiles(self) -> int:
        """Number of benign clients behind the p-value."""
        return len(self._forest.benign)

    def p_values(self, items: Floats) -> Floats:
        """Return the conformal p-values of the clients of (n, f) vectors being benign.

        1 at ages of which too few vectors are held. Each allows for looks at all other ages.
        """
        benign = self._forest.benign
        at_least = len(benign) - np.searchsorted(benign, self._forest.strangeness(items), "left")
        return np.asarray((1 + at_least) / (1 + len(benign)))


def novelty_model(reference: Reference) -> NoveltyModel | None:
    """Return the model, or None where the reference holds too few clients."""
    forest, vectors = reference.forest, reference.vectors
    if not len(forest.usual) and suffice(vectors, len(CATALOGUE)):
        forest = _grown(vectors.tobytes(), vectors.shape)
    usable = len(forest.usual) and len(forest) and len(forest.low) == len(CATALOGUE)
    return NoveltyModel(forest) if usable else None


@lru_cache(maxsize=MOST_KEPT)
def _grown(vectors: bytes, shape: tuple[int, ...]) -> Forest:
    """Grow the trees of a reference that was stored before references kept them, or ages."""
    from detector.scoring.grow import grow

    return grow(np.frombuffer(vectors).reshape(shape))
