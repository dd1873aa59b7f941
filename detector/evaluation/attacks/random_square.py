"""Evasion by random blocks of coordinates.

Andriushchenko et al., "Square Attack: a Query-Efficient Black-Box Adversarial Attack via Random
Search", ECCV 2020, the l-infinity form. ART's `SquareAttack` wants images of more than one line, so
the attack is written here for plain vectors, whose squares are runs of neighbouring coordinates.
"""

import numpy as np

from detector.evaluation.attacks.attack import Attacker
from detector.evaluation.datasets import Coded

LARGEST_SHARE = 0.8
HALVED_AT = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)  # of the budget, as published
BUDGET = 1000
SIZES = (0.05, 0.1, 0.2)


def _margin(attacker: Attacker, point: Coded, label: int) -> float:
    """Return the label's score minus the best other one; negative once the record evades."""
    scores = attacker.ask(point).scores[0]
    return float(scores[label] - np.delete(scores, label).max())


def _block(attacker: Attacker, step: int) -> slice:
    """Return a random run of coordinates, shorter as the search goes on."""
    count = len(attacker.space.numeric)
    halvings = sum(step > share * BUDGET for share in HALVED_AT)
    length = max(1, round(LARGEST_SHARE / 2**halvings * count))
    start = int(attacker.rng.integers(count - length + 1))
    return slice(start, start + length)


def square(attacker: Attacker) -> None:
    """Change blocks of one record by plus or minus a fixed size, keeping what lowers the margin."""
    rng, numeric = attacker.rng, attacker.space.numeric
    record, size = attacker.seeds(1)[0], float(rng.choice(SIZES))
    label = int(attacker.ask(record).labels[0])
    change = rng.choice([-size, size], len(numeric))

    def changed(numbers: Coded) -> Coded:
        point: Coded = record.copy()
        point[numeric] = np.clip(record[numeric] + numbers, 0.0, 1.0)
        return point

    best, asked = _margin(attacker, changed(change), label), {change.tobytes()}
    for step in range(1, BUDGET):
        if best < 0:
            return
        candidate = change.copy()
        candidate[_block(attacker, step)] = rng.choice([-size, size])
        if candidate.tobytes() in asked:
            continue
        asked.add(candidate.tobytes())
        margin = _margin(attacker, changed(candidate), label)
        if margin < best:
            best, change = margin, candidate
