"""Jacobian-based data set augmentation.

Papernot et al., "Practical Black-Box Attacks against
Machine Learning", AsiaCCS 2017 (JBDA); JBRAND and the T-RND variant of Juuti et al., "PRADA",
EuroS&P 2019: steps towards random classes, and steps of random sign.
"""

from collections.abc import Callable

import numpy as np

from detector.evaluation.attacks.attack import Attacker, distinct
from detector.evaluation.attacks.surrogate import Surrogate
from detector.evaluation.datasets import Coded, Labels

SEEDS = 20
STEP = 0.1
ROUNDS = 6
SEED_ROUNDS = 6

Direction = Callable[[Attacker, Surrogate, Coded, Labels], Coded]


def _seeds(attacker: Attacker) -> tuple[Coded, Labels]:
    """Return the first points and their labels: natural ones, and random ones for want of two."""
    points = attacker.seeds(SEEDS)
    labels = attacker.ask(points).labels
    for _ in range(SEED_ROUNDS):
        if len(np.unique(labels)) > 1:
            break
        more = np.concatenate(
            [attacker.seeds(SEEDS // 2), attacker.rng.random((SEEDS // 2, attacker.space.size))]
        )
        labels = np.concatenate([labels, attacker.ask(more).labels])
        points = np.concatenate([points, more])
    return points, labels


def _augment(attacker: Attacker, direction: Direction) -> None:
    points, labels = _seeds(attacker)
    surrogate = Surrogate(seed=int(attacker.rng.integers(2**31)))
    step = STEP * float(attacker.rng.uniform(0.5, 2.0))
    for _ in range(ROUNDS):
        surrogate.fit(points, labels)
        moved = points.copy()
        signs = np.sign(direction(attacker, surrogate, points, labels))
        moved[:, attacker.space.numeric] += step * signs[:, attacker.space.numeric]
        # What was asked before need not be asked again.
        moved = distinct(np.concatenate([points, np.clip(moved, 0.0, 1.0)]))[len(points) :]
        if not len(moved):
            return
        labels = np.concatenate([labels, attacker.ask(moved).labels])
        points = np.concatenate([points, moved])


def jbda(attacker: Attacker) -> None:
    """Step along the sign of the surrogate's Jacobian row of the label."""
    _augment(attacker, lambda _, surrogate, points, labels: surrogate.gradient(points, labels))


def jbrand(attacker: Attacker) -> None:
    """Step towards a random other class."""

    def towards(who: Attacker, surrogate: Surrogate, points: Coded, labels: Labels) -> Coded:
        other = who.rng.integers(len(who.oracle.target.dataset.classes), size=len(labels))
        return surrogate.gradient(points, other)

    _augment(attacker, towards)


def random_sign(attacker: Attacker) -> None:
    """Step by a random sign in every coordinate."""
    _augment(attacker, lambda who, _, points, __: who.rng.choice([-1.0, 1.0], points.shape))
