"""Evolution of one point or of a Gaussian towards a class's score, up or down.

(1+1) evolution strategy: Rechenberg, "Evolutionsstrategie", 1973; its one-fifth rule keeps the size
of mutations where one of five is better. Cross-entropy method: Rubinstein, "The Cross-Entropy
Method for Combinatorial and Continuous Optimization", MCAP 1999.
"""

import numpy as np

from detector.evaluation.attacks.attack import Attacker
from detector.evaluation.attacks.evader import Evader
from detector.evaluation.attacks.inversion import start

MUTANTS = 400
WIDER = 1.1
NARROWER = WIDER**-0.25  # four failures undo one success

BALLS = (0.1, 0.2, 0.4)
FIRST_IN_BALL = 1 / 3  # of its size
FIRST_SIGMA = 0.1
LEAST_SIGMA = 0.02
PATIENCE = 80

ROUNDS = 20
SAMPLES = 20
ELITE = 5
FIRST_SPREAD = 0.3
LEAST_SPREAD = 0.02


def _adapted(sigma: float, *, better: bool) -> float:
    return max(sigma * (WIDER if better else NARROWER), LEAST_SIGMA)


def es_evasion(attacker: Attacker) -> None:
    """Mutate a record within an l-infinity ball while its label's score does not rise."""
    evader, size = Evader.of_a_seed(attacker), float(attacker.rng.choice(BALLS))
    parent, best, sigma = evader.origin, evader.score, FIRST_IN_BALL * size
    for _ in range(MUTANTS):
        mutation = sigma * attacker.rng.normal(size=len(parent))
        child = evader.ball(parent + mutation, size)
        scores, evading = evader.trial(child)
        if evading[0]:
            return
        sigma = _adapted(sigma, better=scores[0] < best)
        if scores[0] <= best:
            parent, best = child, float(scores[0])


def es_inversion(attacker: Attacker) -> None:
    """Mutate a grey or natural point while one class's score does not fall."""
    victim, parent, numeric = attacker.victim_class(), start(attacker), attacker.space.numeric
    best, sigma, idle = -np.inf, FIRST_SIGMA, 0
    for _ in range(MUTANTS):
        child = parent.copy()
        child[numeric] += sigma * attacker.rng.normal(size=len(numeric))
        child = np.clip(child, 0.0, 1.0)
        score = attacker.ask(child).scores[0, victim]
        idle = 0 if score > best else idle + 1
        if idle == PATIENCE:
            return
        sigma = _adapted(sigma, better=score > best)
        if score >= best:
            parent, best = child, score


def cem_inversion(attacker: Attacker) -> None:
    """Narrow a Gaussian over the numbers themselves towards one class."""
    victim, base, numeric = attacker.victim_class(), attacker.seeds(1), attacker.space.numeric
    mean, spread = np.full(len(numeric), 0.5), np.full(len(numeric), FIRST_SPREAD)
    for _ in range(ROUNDS):
        points = np.repeat(base, SAMPLES, axis=0)
        drawn = mean + spread * attacker.rng.normal(size=(SAMPLES, len(numeric)))
        points[:, numeric] = np.clip(drawn, 0.0, 1.0)
        scores = attacker.ask(points).scores[:, victim]
        elite = points[np.argsort(-scores, kind="stable")[:ELITE]][:, numeric]
        mean = elite.mean(axis=0)
        spread = (spread + np.maximum(elite.std(axis=0), LEAST_SPREAD)) / 2
