"""Rays of signs from a record to the boundary.

Chen and Gu, "RayS: A Ray Searching Method for Hard-label Adversarial Attack", KDD 2020: directions
are corners of the cube, and signs are turned block by block, blocks halving from pass to pass. Its
distance of record after record is what label-only membership inference asks for (Choquette-Choo et
al., "Label-Only Membership Inference Attacks", ICML 2021).
"""

import numpy as np

from detector.evaluation.attacks.attack import Attacker
from detector.evaluation.attacks.evader import Evader, halved_blocks
from detector.evaluation.datasets import Coded

WIDENING = (0.25, 0.5, 1.0)  # a whole range changes every number as far as it goes
PRECISION = 1e-3
CORNERS = 4
QUERIES_A_RECORD = 60


def _radius(evader: Evader, signs: Coded, nearest: float) -> float:
    """Return the l-infinity distance of the boundary along (k,) signs.

    Infinite if it is not nearer than the `nearest` one known, which a single query tells.
    """
    tried = (nearest,) if np.isfinite(nearest) else WIDENING
    outside = next((r for r in tried if evader.evades(evader.origin + r * signs)), np.inf)
    if np.isinf(outside):
        return np.inf
    inside = 0.0
    while outside - inside > PRECISION:
        middle = (inside + outside) / 2
        if evader.evades(evader.origin + middle * signs):
            outside = middle
        else:
            inside = middle
    return outside


def _search(evader: Evader, signs: Coded, queries: int) -> float:
    """Turn signs of a direction block by block, keeping those that bring the boundary nearer.

    No block is begun after that many queries. Returns the distance found, perhaps infinite.
    """
    oracle = evader.attacker.oracle
    end = len(oracle) + queries
    nearest = _radius(evader, signs, np.inf)
    for block in halved_blocks(len(signs)):
        if len(oracle) >= end:
            break
        turned = signs.copy()
        turned[block] *= -1.0
        radius = _radius(evader, turned, nearest)
        if radius < nearest:
            nearest, signs = radius, turned
    return nearest


def rays(attacker: Attacker) -> None:
    """Bring the boundary nearer to one record, first from the upper corner, then from others.

    A record that no ray takes out of its class is left alone.
    """
    evader = Evader.of_a_seed(attacker)
    signs = np.ones(len(evader.origin))
    for _ in range(CORNERS):
        if np.isinf(_search(evader, signs, attacker.oracle.left)):
            return
        signs = attacker.rng.choice([-1.0, 1.0], len(signs))


def rays_distance(attacker: Attacker) -> None:
    """Estimate each candidate's distance to the boundary along rays."""
    for record in attacker.rng.permutation(attacker.candidates):
        evader = Evader.of(attacker, attacker.space.encode(record)[0])
        _search(evader, np.ones(len(evader.origin)), QUERIES_A_RECORD)
