"""Growing the trees of the novelty model from a reference's client vectors.

River's half-space trees learn from one half of the vectors and are calibrated on the other.
"""

from dataclasses import replace

import numpy as np
from river.anomaly import HalfSpaceTrees

from detector.events.batch import Floats
from detector.features.catalogue import CATALOGUE
from detector.reference.forest import NO_FOREST, Forest, suffice, unit
from detector.reference.picture import Reference

TREES = 25
HEIGHT = 6
IGNORED = frozenset({"queries"})


def planted(reference: Reference) -> Reference:
    """Return the reference with the trees that its client vectors give."""
    return replace(reference, forest=grow(reference.vectors))


def grow(vectors: Floats) -> Forest:
    """Return the trees of (c, f) client vectors, always the same; none of too few clients."""
    if not suffice(vectors, len(CATALOGUE)):
        return NO_FOREST
    low = vectors.min(axis=0)
    span = np.maximum(vectors.max(axis=0) - low, 1e-9)
    learn = vectors[::2]
    trees = HalfSpaceTrees(n_trees=TREES, height=HEIGHT, window_size=len(learn), seed=0)
    for item in unit(learn, low, span):
        trees.learn_one(inputs(item))
    forest = Forest(*_flatten(trees), float(len(learn)), low, span, np.zeros(0))
    return replace(forest, benign=np.sort(forest.scores(vectors[1::2])))


def inputs(item: Floats) -> dict[str, float]:
    """Return what the trees look at of one (f,) vector in units of the range."""
    pairs = zip(CATALOGUE, item.tolist(), strict=True)
    return {feature.name: value for feature, value in pairs if feature.name not in IGNORED}


def _flatten(trees: HalfSpaceTrees) -> tuple[Floats, Floats, Floats]:
    """Return each tree's features, thresholds and masses, (trees, nodes)."""
    place = {feature.name: i for i, feature in enumerate(CATALOGUE)}
    shape = (len(trees.trees), 2 ** (trees.height + 1) - 1)
    features, thresholds, masses = np.full(shape, -1.0), np.zeros(shape), np.zeros(shape)
    for t, tree in enumerate(trees.trees):
        level = [tree]
        for begin in (2**depth - 1 for depth in range(trees.height + 1)):
            for i, node in enumerate(level, begin):
                masses[t, i] = node.r_mass
                if begin < 2**trees.height - 1:
                    features[t, i], thresholds[t, i] = place[node.feature], node.threshold
            level = [child for node in level for child in getattr(node, "children", ())]
    return features, thresholds, masses
