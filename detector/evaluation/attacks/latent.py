"""Latent search for a class: a population in the latent space of a generator.

Han et al., "Reinforcement Learning-Based Black-Box Model Inversion", CVPR 2023, and An et al.,
"MIRROR: Model Inversion for Deep Learning Network with High Fidelity", NDSS 2022, whose black-box
form is a genetic search. The generator here are principal components of natural rows.
"""

from dataclasses import dataclass

import numpy as np

from detector.evaluation.attacks.attack import Attacker
from detector.evaluation.datasets import Coded

POPULATION = 24
LATENT = 6
ROUNDS = 25
GENES = 8
INDIVIDUALS = 30
GENERATIONS = 20
MUTATED = 0.25
LARGEST_GENE = 2.5
WALKED = 10
WALK_STEPS = 25
NEIGHBOURS = 16
STRIDE = 0.6
SHORTER = 0.8


@dataclass(frozen=True, slots=True)
class _Components:
    """Principal components of the attacker's natural rows.

    Attributes:
        mean: (D,) of the natural points.
        axes: (k, D), each as long as the standard deviation along it.
    """

    mean: Coded
    axes: Coded

    def points(self, latent: Coded) -> Coded:
        """Return the (n, D) points of (n, k) standardised latent vectors."""
        made: Coded = self.mean + latent @ self.axes
        return made


def _components(attacker: Attacker, count: int) -> _Components:
    natural = attacker.space.encode(attacker.natural)
    mean = natural.mean(axis=0)
    _, sizes, axes = np.linalg.svd(natural - mean, full_matrices=False)
    scale = sizes[:count] / np.sqrt(len(natural))
    return _Components(mean, axes[:count] * scale[:, None])


def latent_search(attacker: Attacker) -> None:
    """Narrow a Gaussian over a few latent coordinates towards one class."""
    victim, components = attacker.victim_class(), _components(attacker, LATENT)
    count = len(components.axes)
    centre, spread = np.zeros(count), np.ones(count)
    for _ in range(ROUNDS):
        latent = centre + spread * attacker.rng.normal(size=(POPULATION, count))
        scores = attacker.ask(components.points(latent)).scores[:, victim]
        elite = latent[np.argsort(-scores, kind="stable")[: POPULATION // 4]]
        centre = elite.mean(axis=0)
        spread = 0.7 * spread + 0.3 * np.maximum(elite.std(axis=0), 0.1)


def _children(attacker: Attacker, parents: Coded, count: int) -> Coded:
    """Cross random pairs gene by gene and mutate some genes."""
    rng, size = attacker.rng, (count, parents.shape[1])
    first, second = parents[rng.integers(len(parents), size=(2, count))]
    crossed = np.where(rng.random(size) < 0.5, first, second)
    mutated = crossed + (rng.random(size) < MUTATED) * rng.normal(0, 0.5, size)
    clipped: Coded = np.clip(mutated, -LARGEST_GENE, LARGEST_GENE)
    return clipped


def genetic_search(attacker: Attacker) -> None:
    """Breed latent vectors for one class; the best third lives on and is not asked again."""
    victim, components = attacker.victim_class(), _components(attacker, GENES)
    kept = INDIVIDUALS // 3
    alive = attacker.rng.normal(size=(INDIVIDUALS, len(components.axes)))
    fitness = attacker.ask(components.points(alive)).scores[:, victim]
    for _ in range(GENERATIONS):
        best = np.argsort(-fitness, kind="stable")[:kept]
        young = _children(attacker, alive[best], INDIVIDUALS - kept)
        scores = attacker.ask(components.points(young)).scores[:, victim]
        alive = np.concatenate([alive[best], young])
        fitness = np.concatenate([fitness[best], scores])


def latent_walk(attacker: Attacker) -> None:
    """Go to the best of some latent neighbours while one is better, otherwise look nearer."""
    victim, components = attacker.victim_class(), _components(attacker, WALKED)
    count, stride, best = len(components.axes), STRIDE, -np.inf
    here = attacker.rng.normal(size=count)
    for _ in range(WALK_STEPS):
        around = here + stride * attacker.rng.normal(size=(NEIGHBOURS, count))
        scores = attacker.ask(components.points(around)).scores[:, victim]
        if scores.max() > best:
            best, here = scores.max(), around[scores.argmax()]
        else:
            stride *= SHORTER
