"""Line search for the boundary.

Lowd and Meek, "Adversarial Learning", KDD 2005 (coordinate search
from a boundary point), and random segments between opposite labels (Tramèr et al. 2016, 6.2). The
first bisection of Lowd and Meek, between two instances of opposite labels, again and again gives
boundary points as training rows.
"""

import numpy as np

from detector.evaluation.attacks.attack import Attacker, unit
from detector.evaluation.datasets import Coded

STEPS = 14
NATURAL_STEPS = 9
NATURAL_SEGMENTS = 60


def opposite(attacker: Attacker, tries: int = 64) -> tuple[Coded, Coded, int]:
    """Return two points with different labels and the first one's label.

    Natural points are tried first, then random ones; without luck the last two are returned.
    """
    points = np.concatenate(
        [attacker.seeds(tries // 2), attacker.rng.random((tries // 2, attacker.space.size))]
    )
    first, label = points[0], int(attacker.ask(points[0]).labels[0])
    for point in points[1:]:
        if int(attacker.ask(point).labels[0]) != label:
            return first, point, label
    return first, points[-1], label


def bisect(
    attacker: Attacker, inside: Coded, outside: Coded, label: int, steps: int = STEPS
) -> Coded:
    """Shrink a segment between labels; returns the end that still has `label`."""
    for _ in range(steps):
        middle = (inside + outside) / 2
        if int(attacker.ask(middle).labels[0]) == label:
            inside = middle
        else:
            outside = middle
    return inside


def lowd_meek(attacker: Attacker) -> None:
    """Find a boundary point, then the boundary along every coordinate from it."""
    inside, outside, label = opposite(attacker)
    edge = bisect(attacker, inside, outside, label)
    for axis in attacker.space.numeric:
        for sign in (-1.0, 1.0):
            far = edge.copy()
            far[axis] = np.clip(far[axis] + sign, 0.0, 1.0)
            if int(attacker.ask(far).labels[0]) != label:
                bisect(attacker, edge, far, label)


def axis_crossings(attacker: Attacker) -> None:
    """Find the boundary on the axes through a point, natural or not: both ends, then halves."""
    rng, size = attacker.rng, attacker.space.size
    anchor = attacker.seeds(1)[0] if rng.random() < 0.5 else rng.random(size)
    attacker.ask(anchor)
    for axis in rng.permutation(attacker.space.numeric):
        ends = np.repeat(anchor[None], 2, axis=0)
        ends[:, axis] = 0.0, 1.0
        labels = attacker.ask(ends).labels
        if labels[0] != labels[1]:
            bisect(attacker, ends[0], ends[1], int(labels[0]), NATURAL_STEPS)


def random_segments(attacker: Attacker) -> None:
    """Bisect along random rays from a point until they leave its class."""
    start = attacker.rng.random(attacker.space.size)
    label = int(attacker.ask(start).labels[0])
    for direction in unit(attacker.rng.normal(size=(8, attacker.space.size))):
        far = np.clip(start + direction * np.sqrt(attacker.space.size), 0.0, 1.0)
        if int(attacker.ask(far).labels[0]) != label:
            bisect(attacker, start, far, label)


def natural_segments(attacker: Attacker) -> None:
    """Bisect between natural records of opposite labels, the second with the first's categories."""
    for _ in range(NATURAL_SEGMENTS):
        ends = np.repeat(attacker.seeds(1), 2, axis=0)
        ends[1, attacker.space.numeric] = attacker.seeds(1)[0, attacker.space.numeric]
        labels = attacker.ask(ends).labels
        if labels[0] != labels[1]:
            bisect(attacker, ends[0], ends[1], int(labels[0]), NATURAL_STEPS)
