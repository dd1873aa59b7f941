"""Evasion by decisions alone: an evading point is brought nearer to one record.

Dong et al., "Efficient Decision-based Black-box Adversarial Attacks on Face Recognition", CVPR
2019: a (1+1) evolution strategy whose covariance, a diagonal, adapts to the steps that succeed.
Rahmati et al., "GeoDA: a Geometric Framework for Black-box Adversarial Attacks", CVPR 2020: the
boundary is nearly flat, so the record is moved along its estimated normal. How near the point
comes is a distance that label-only membership inference asks for, record after record
(Choquette-Choo et al., "Label-Only Membership Inference Attacks", ICML 2021).
"""

import numpy as np

from detector.evaluation.attacks.attack import Attacker, unit
from detector.evaluation.attacks.evader import Evader
from detector.evaluation.datasets import Coded

MUTATIONS = 400
MUTATED = 0.5  # share of the numbers in a mutation
MUTATION = 0.2  # its length, by the distance from the record
TOWARDS = 0.1  # first share of the way to the record
TOWARDS_RANGE = (0.03, 0.5)
WANTED_SUCCESSES = 0.2
TRIALS = 10  # between two changes of that share
PATH_RATE = 0.1  # both rates are higher than published, for budgets a hundred times smaller
VARIANCE_RATE = 0.02

NORMALS = 8
FIRST_PROBES = 20
PROBES_GROWTH = 1.2
PROBE_SIGMA = 0.03
RADIUS_GROWTH = 1.25
LARGEST_RADIUS = 4.0  # by the distance of the boundary point before
# Of a record whose distance is all that is asked.
DISTANCE_TRIALS, DISTANCE_NORMALS = (30, 150), (2, 4)


class _Mutations:
    """Gaussian steps with one variance a number, which grows where steps succeed.

    Args:
        attacker: Whose chance it is.
        count: Numbers that a step may change.
    """

    def __init__(self, attacker: Attacker, count: int) -> None:
        self._rng = attacker.rng
        self._path = np.zeros(count)
        self._variances = np.ones(count)

    def draw(self) -> Coded:
        """Return a (count,) step in some numbers, those of large variance more often."""
        count = len(self._variances)
        chances = self._variances / self._variances.sum()
        chosen = self._rng.choice(count, round(MUTATED * count) or 1, replace=False, p=chances)
        step = np.zeros(count)
        step[chosen] = self._rng.normal(size=len(chosen)) * np.sqrt(self._variances[chosen])
        return step

    def learn(self, step: Coded) -> None:
        """Let the path follow a step that succeeded, and the variances the path."""
        self._path = (1 - PATH_RATE) * self._path + np.sqrt(PATH_RATE * (2 - PATH_RATE)) * step
        self._variances = (1 - VARIANCE_RATE) * self._variances + VARIANCE_RATE * self._path**2


def _evolve(evader: Evader, trials: int) -> None:
    """Mutate an evading point and draw it towards the record, keeping nearer ones that evade."""
    start = evader.start()
    if start is None:
        return
    parent, towards, successes = evader.approach(start), TOWARDS, 0
    mutations = _Mutations(evader.attacker, len(parent))
    for trial in range(1, trials + 1):
        offset, step = evader.origin - parent, mutations.draw()
        distance = np.linalg.norm(offset)
        mutation = MUTATION * distance * unit(step)
        child = np.clip(parent + towards * offset + mutation, 0.0, 1.0)
        nearer = np.linalg.norm(evader.origin - child) < distance
        if nearer and evader.evades(child):  # a farther one is not worth a query
            parent, successes = child, successes + 1
            mutations.learn(step)
        if trial % TRIALS == 0:
            towards *= np.exp(successes / TRIALS - WANTED_SUCCESSES)
            towards, successes = float(np.clip(towards, *TOWARDS_RANGE)), 0


def evolutionary(attacker: Attacker) -> None:
    """Evolve an evading point towards one record after another."""
    _evolve(Evader.of_a_seed(attacker), MUTATIONS)


def _along(evader: Evader, normal: Coded, distance: float) -> Coded | None:
    """Go from the record along the normal, at first so far, until the point evades."""
    radius = distance
    while radius < LARGEST_RADIUS * distance:
        point = evader.origin + radius * normal
        if evader.evades(point):
            return point
        radius *= RADIUS_GROWTH
    return None


def _cross(evader: Evader, normals: int) -> None:
    """Estimate the normal at a boundary point, cross along it from the record, and so on."""
    outside = evader.start()
    if outside is None:
        return
    for number in range(normals):
        edge = evader.approach(outside)
        probes = (round(FIRST_PROBES * PROBES_GROWTH**number), len(edge))
        normal = evader.normal(edge, PROBE_SIGMA * evader.attacker.rng.normal(size=probes))
        crossed = _along(evader, normal, float(np.linalg.norm(edge - evader.origin)))
        outside = edge if crossed is None else crossed


def geoda(attacker: Attacker) -> None:
    """Cross the boundary along its normal, about one record after another."""
    _cross(Evader.of_a_seed(attacker), NORMALS)


def decision_distance(attacker: Attacker) -> None:
    """Estimate each candidate's distance to the boundary by one of the two, cut short.

    Which one, and how short, is the attacker's choice.
    """
    rng = attacker.rng
    search, effort = ((_evolve, DISTANCE_TRIALS), (_cross, DISTANCE_NORMALS))[int(rng.integers(2))]
    spent = int(rng.integers(effort[0], effort[1] + 1))
    for record in rng.permutation(attacker.candidates):
        search(Evader.of(attacker, attacker.space.encode(record)[0]), spent)
