"""Model inversion by queries alone.

Confidence ascent: Fredrikson et al., "Model Inversion Attacks that Exploit Confidence
Information", CCS 2015 (MIFace), with zeroth-order gradients: antithetic pairs (NES, Ilyas et al.,
ICML 2018; SPSA, Spall 1992) or forward differences. Label-only spheres: Kahla et al., "Label-Only
Model Inversion Attacks via Boundary Repulsion", CVPR 2022 (BREP-MI). Latent search: Han et al.,
"Reinforcement Learning-Based Black-Box Model Inversion", CVPR 2023, and An et al., "MIRROR", NDSS
2022, here with principal components as the generator. Attribute sweep: Fredrikson et al.,
"Privacy in Pharmacogenetics", USENIX Security 2014.
"""

import numpy as np

from detector.evaluation.attacks.attack import Attacker, unit
from detector.evaluation.datasets import Coded

PAIRS = 8
NES_STEP = 0.05
NES_SIGMA = 0.05
FORWARD_STEP = 0.02
SPHERE_POINTS = 32
SPHERE_RADIUS = 0.2
SPHERE_GROWTH = 1.3
POPULATION = 24
LATENT = 6


def _victim_class(attacker: Attacker) -> int:
    return int(attacker.rng.integers(len(attacker.oracle.target.dataset.classes)))


def _start(attacker: Attacker) -> Coded:
    """The grey image, or a natural record; categories stay what they are."""
    start: Coded = attacker.seeds(1)[0]
    if attacker.rng.random() < 0.5:
        start[attacker.space.numeric] = 0.5
    return start


def antithetic_ascent(attacker: Attacker) -> None:
    """Climb one class's score with plus-minus pairs about a moving point."""
    victim, point, numeric = _victim_class(attacker), _start(attacker), attacker.space.numeric
    for _ in range(60):
        noise = np.zeros((PAIRS, len(point)))
        noise[:, numeric] = attacker.rng.normal(size=(PAIRS, len(numeric)))
        pairs = np.stack([point + NES_SIGMA * noise, point - NES_SIGMA * noise], axis=1)
        scores = attacker.ask(pairs.reshape(-1, len(point))).scores[:, victim].reshape(-1, 2)
        gradient = ((scores[:, 0] - scores[:, 1])[:, None] * noise).mean(axis=0)
        if not gradient.any():  # a plateau tells nothing: begin elsewhere
            point = _start(attacker)
            continue
        point = np.clip(point + NES_STEP * unit(gradient) * np.sqrt(len(numeric)) / 2, 0, 1)


def forward_ascent(attacker: Attacker) -> None:
    """Climb one class's score, one forward difference for every coordinate and step."""
    victim, point, numeric = _victim_class(attacker), _start(attacker), attacker.space.numeric
    for _ in range(30):
        probes = np.repeat(point[None], len(numeric) + 1, axis=0)
        probes[np.arange(1, len(probes)), numeric] += FORWARD_STEP
        scores = attacker.ask(probes).scores[:, victim]
        gradient = np.zeros_like(point)
        gradient[numeric] = (scores[1:] - scores[0]) / FORWARD_STEP
        if not gradient.any():
            point = _start(attacker)
            continue
        point = np.clip(point + 0.1 * np.sqrt(len(numeric)) / 2 * unit(gradient), 0, 0.98)


def sphere_sampling(attacker: Attacker) -> None:
    """Move away from the points of a sphere that leave the class; widen it when none does."""
    victim, numeric = _victim_class(attacker), attacker.space.numeric
    centre = attacker.seeds(1)[0]
    for candidate in attacker.seeds(40):
        if int(attacker.ask(candidate).labels[0]) == victim:
            centre = candidate
            break
    radius = SPHERE_RADIUS * float(attacker.rng.uniform(0.5, 2.0))
    for _ in range(40):
        offsets = np.zeros((SPHERE_POINTS, len(centre)))
        offsets[:, numeric] = unit(attacker.rng.normal(size=(SPHERE_POINTS, len(numeric))))
        labels = attacker.ask(centre + radius * offsets).labels
        left = labels != victim
        if not left.any():
            radius *= SPHERE_GROWTH
            continue
        centre = np.clip(centre - radius * unit(offsets[left].mean(axis=0)), 0, 1)


def latent_search(attacker: Attacker) -> None:
    """Evolve a population in a few principal components of natural rows towards one class."""
    victim, rng = _victim_class(attacker), attacker.rng
    natural = attacker.space.encode(attacker.natural)
    mean = natural.mean(axis=0)
    _, sizes, axes = np.linalg.svd(natural - mean, full_matrices=False)
    scale = sizes[:LATENT] / np.sqrt(len(natural))
    centre, spread = np.zeros(len(scale)), np.ones(len(scale))
    for _ in range(25):
        latent = centre + spread * rng.normal(size=(POPULATION, len(scale)))
        scores = attacker.ask(mean + (latent * scale) @ axes[:LATENT]).scores[:, victim]
        elite = latent[np.argsort(-scores, kind="stable")[: POPULATION // 4]]
        centre = elite.mean(axis=0)
        spread = 0.7 * spread + 0.3 * np.maximum(elite.std(axis=0), 0.1)


def _sweep_values(attacker: Attacker, column: int) -> Coded:
    field = attacker.oracle.target.dataset.fields[column]
    if field.is_categorical:
        return np.arange(len(field.categories), dtype=np.float64)
    known = np.unique(attacker.natural[:, column])
    known = known[~np.isnan(known)]
    if len(known) <= 10:
        return known
    return attacker.oracle.target.dataset.natural(
        np.full((10, len(attacker.oracle.target.dataset.fields)), 0.0)
        + np.linspace(field.low, field.high, 10)[:, None]
    )[:, column]


def attribute_sweep(attacker: Attacker) -> None:
    """For record after record, ask for every value of the one sensitive field."""
    fields = attacker.oracle.target.dataset.fields
    categorical = [j for j, f in enumerate(fields) if f.is_categorical and len(f.categories) > 1]
    spread = [j for j, f in enumerate(fields) if f.high > f.low]
    column = int(attacker.rng.choice(categorical or spread))
    values = _sweep_values(attacker, column)
    for record in attacker.rng.permutation(attacker.candidates):
        rows = np.repeat(record[None], len(values), axis=0)
        rows[:, column] = values
        attacker.oracle.ask(rows)
