"""Growing the trees of the novelty model from a reference's client vectors.

River's half-space trees learn from one half of the clients and are calibrated on the other.
"""

from dataclasses import replace

import numpy as np
from river.anomaly import HalfSpaceTrees

from detector.events.batch import Floats
from detector.features.catalogue import CATALOGUE
from detector.reference.forest import AGE, MIN_VECTORS, NO_FOREST, Forest, lives, suffice, unit
from detector.reference.picture import Reference

TREES = 25
HEIGHT = 6
IGNORED = frozenset({"queries"})


def planted(reference: Reference) -> Reference:
    """Return the reference with the trees that its client vectors give."""
    return replace(reference, forest=grow(reference.vectors))


def grow(vectors: Floats) -> Forest:
    """Return the trees of (c, f) client vectors, always the same; none of too few clients.

    What a client looks like depends on how much it has asked, so it is judged at the ages of which
    enough vectors are held, against the mean of that age. It is judged once at each, and strange
    is who is stranger at any than all benign clients at all of theirs: that holds for a whole life
    of looks (conformal p-values of the maximum; Vovk et al. 2005).
    """
    if not suffice(vectors, len(CATALOGUE)):
        return NO_FOREST
    ages, counts = np.unique(vectors[:, AGE], return_counts=True)
    ages = ages[counts >= MIN_VECTORS]
    vectors = vectors[np.isin(vectors[:, AGE], ages)]
    if not len(ages):
        return NO_FOREST
    low = vectors.min(axis=0)
    span = np.maximum(vectors.max(axis=0) - low, 1e-9)
    client = lives(vectors)
    held_out = client % 2 == 0
    learn, judge = vectors[~held_out], vectors[held_out]
    if not len(learn) or not len(judge):
        return NO_FOREST
    trees = HalfSpaceTrees(n_trees=TREES, height=HEIGHT, window_size=len(learn), seed=0)
    for item in unit(learn, low, span):
        trees.learn_one(inputs(item))
    forest = Forest(*_flatten(trees), float(len(learn)), low, span, np.zeros(0))
    means = [forest.scores(vectors[vectors[:, AGE] == age]).mean() for age in ages]
    forest = replace(forest, usual=np.column_stack([ages, means]))
    _, begins = np.unique(client[held_out], return_index=True)
    return replace(forest, benign=np.sort(np.maximum.reduceat(forest.strangeness(judge), begins)))


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
