"""Membership inference by queries alone.

Label-only boundary distance and augmentation: Choquette-Choo et al., "Label-Only Membership
Inference Attacks", ICML 2021; Li and Zhang, "Membership Leakage in Label-Only Exposures", CCS 2021
(the distance by HopSkipJump, here ART's; ART's `LabelOnlyDecisionBoundary` runs the same, but from
starts that cannot be seeded). Roster: one ordinary query a record (Yeom et al., CSF 2018), which no
sequence of queries can tell from ordinary use.
"""

import numpy as np

from detector.evaluation.attacks.art_evasion import hop_skip_jump
from detector.evaluation.attacks.attack import Attacker, unit
from detector.evaluation.attacks.evader import Evader

AUGMENTATIONS = 20
ITERATIONS = 3
EVALUATIONS = 20
NOISY_COPIES = 24
NOISE_SIZES = (0.03, 0.1)
NEIGHBOURS = 11
NEIGHBOUR_SIZE = 0.03
SUBSPACE_SHARES = (0.3, 1.0)
SUBSPACE_PROBES = (8, 24)
SUBSPACE_STEPS = (1, 3)
SUBSPACE_SIGMA = 0.02


def boundary_distance(attacker: Attacker) -> None:
    """Estimate each candidate's distance to the boundary with one decision-based attack a record.

    The published budget is 2,500 queries a record and more; here about 120, which favours the
    attacker's stealth.
    """
    for record in attacker.rng.permutation(attacker.candidates):
        point = attacker.space.encode(record)[0]
        hop_skip_jump(attacker, point, iterations=ITERATIONS, evaluations=EVALUATIONS)


def subspace_distance(attacker: Attacker) -> None:
    """Bisect to each candidate's boundary and step along a normal estimated in a random subspace.

    The estimate is QEBA's (Li et al., CVPR 2020), of few probes; their number, that of the steps
    and the subspace's share of the numbers are the attacker's choice.
    """
    rng, numeric = attacker.rng, attacker.space.numeric
    probes, steps = (
        int(rng.integers(low, high + 1)) for low, high in (SUBSPACE_PROBES, SUBSPACE_STEPS)
    )
    dimensions = max(1, round(float(rng.choice(SUBSPACE_SHARES)) * len(numeric)))
    for record in rng.permutation(attacker.candidates):
        evader = Evader.of(attacker, attacker.space.encode(record)[0])
        outside = evader.start()
        if outside is None:
            continue
        for _ in range(steps):
            edge = evader.approach(outside)
            noise = rng.normal(size=(probes, dimensions)) @ rng.normal(
                size=(dimensions, len(numeric))
            )
            noise = unit(noise) * np.sqrt(len(numeric))
            normal = evader.normal(edge, SUBSPACE_SIGMA * noise)
            outside = np.clip(edge + normal * np.linalg.norm(edge - evader.origin) / 2, 0.0, 1.0)
            if not evader.evades(outside):
                outside = edge


def noise_distance(attacker: Attacker) -> None:
    """Estimate robustness by noise of growing size about each candidate."""
    numeric = attacker.space.numeric
    for record in attacker.rng.permutation(attacker.candidates):
        point = attacker.space.encode(record)
        attacker.ask(point)
        for size in (0.02, 0.05, 0.1, 0.2, 0.4):
            probes = np.repeat(point, 10, axis=0)
            probes[:, numeric] += attacker.rng.normal(0, size, (10, len(numeric)))
            attacker.ask(probes)


def augmentation(attacker: Attacker) -> None:
    """Ask for tens of slightly changed copies of each candidate."""
    numeric = attacker.space.numeric
    size = float(attacker.rng.choice([0.005, 0.01, 0.02]))
    for record in attacker.rng.permutation(attacker.candidates):
        points = np.repeat(attacker.space.encode(record), AUGMENTATIONS, axis=0)
        points[1:, numeric] += attacker.rng.uniform(-size, size, (len(points) - 1, len(numeric)))
        attacker.ask(points)


def field_augmentation(attacker: Attacker) -> None:
    """Ask for copies of each candidate, every one changed a little in a quarter of its numbers."""
    numeric, rng = attacker.space.numeric, attacker.rng
    size, share = float(rng.uniform(0.01, 0.05)), max(1, round(len(numeric) / 4))
    for record in rng.permutation(attacker.candidates):
        points = np.repeat(attacker.space.encode(record), AUGMENTATIONS, axis=0)
        for point in points[1:]:
            point[rng.choice(numeric, share, replace=False)] += rng.normal(0, size, share)
        attacker.ask(points)


def gaussian_augmentation(attacker: Attacker) -> None:
    """Ask for each candidate and then for copies with noise in all of its numbers."""
    numeric, size = attacker.space.numeric, float(attacker.rng.choice(NOISE_SIZES))
    for record in attacker.rng.permutation(attacker.candidates):
        points = np.repeat(attacker.space.encode(record), NOISY_COPIES + 1, axis=0)
        points[1:, numeric] += attacker.rng.normal(0, size, (NOISY_COPIES, len(numeric)))
        attacker.ask(points)


def neighbourhood(attacker: Attacker) -> None:
    """Compare each candidate with neighbours that differ from it in a third of the numbers."""
    numeric, rng = attacker.space.numeric, attacker.rng
    share = max(1, len(numeric) // 3)
    for record in rng.permutation(attacker.candidates):
        points = np.repeat(attacker.space.encode(record), NEIGHBOURS + 1, axis=0)
        for point in points[1:]:
            changed = rng.choice(numeric, share, replace=False)
            point[changed] += rng.normal(0, NEIGHBOUR_SIZE, share)
        attacker.ask(points)


def roster(attacker: Attacker) -> None:
    """Ask once for each candidate."""
    attacker.oracle.ask(attacker.rng.permutation(attacker.candidates))
