"""Score-based evasion by coordinate steps.

Guo et al., "Simple Black-box Adversarial Attacks",
ICML 2019 (SimBA), and Chen et al., "ZOO", AISec 2017.
"""

import numpy as np

from detector.evaluation.attacks.attack import Attacker

SIMBA_STEP = 0.15
ZOO_STEP = 0.02


def simba(attacker: Attacker) -> None:
    """Step one random coordinate at a time, keeping what lowers the label's score."""
    point = attacker.seeds(1)[0]
    first = attacker.ask(point)
    label, score = int(first.labels[0]), float(first.scores[0, first.labels[0]])
    for axis in attacker.rng.permutation(attacker.space.numeric):
        for sign in (-1.0, 1.0):
            moved = point.copy()
            moved[axis] = np.clip(moved[axis] + sign * SIMBA_STEP, 0, 1)
            answer = attacker.ask(moved)
            if int(answer.labels[0]) != label:
                return
            if answer.scores[0, label] < score:
                point, score = moved, float(answer.scores[0, label])
                break


def zoo(attacker: Attacker) -> None:
    """Estimate one coordinate's derivative from a symmetric pair and descend along it."""
    point = attacker.seeds(1)[0]
    label = int(attacker.ask(point).labels[0])
    for axis in attacker.rng.choice(attacker.space.numeric, 60):
        pair = np.repeat(point[None], 2, axis=0)
        pair[:, axis] = np.clip(pair[:, axis] + [ZOO_STEP, -ZOO_STEP], 0, 1)
        answer = attacker.ask(pair)
        if (answer.labels != label).any():
            return
        slope = float(answer.scores[0, label] - answer.scores[1, label])
        point[axis] = np.clip(point[axis] - 0.1 * np.sign(slope), 0, 1)
