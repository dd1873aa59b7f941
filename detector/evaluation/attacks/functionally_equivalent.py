"""Functionally equivalent extraction: critical points along random lines.

Jagielski et al., "High Accuracy and High Fidelity Extraction of Neural Networks", USENIX Security
2020, and Carlini et al., "Cryptanalytic Extraction of Neural Network Models", CRYPTO 2020. Between
two critical points (where a unit switches) a network's logits are linear along a line, so that a
middle value off the chord gives a critical point away, and halves are searched in their turn. The
same search finds a tree's thresholds, and decision boundaries where the API shows labels alone.
"""

import numpy as np

from detector.evaluation.attacks.attack import Attacker, unit
from detector.evaluation.datasets import Coded
from detector.evaluation.models import OutputForm

PRECISION = 2.0**-10
CRITICAL_POINTS = 12
SMALLEST_SCORE = 1e-6
ROUNDING = {OutputForm.FULL: 0.5e-6, OutputForm.TOP1: 0.5e-2, OutputForm.LABEL: 0.0}


def _logits(attacker: Attacker, point: Coded) -> tuple[Coded, float]:
    """Return the (c,) log scores of a point and the error that the API's rounding leaves."""
    scores = np.maximum(attacker.ask(point).scores[0], SMALLEST_SCORE)
    error = ROUNDING[attacker.oracle.target.form] / float(scores.min())
    return np.log(scores / scores[0]), error


def _line(attacker: Attacker) -> tuple[Coded, Coded]:
    """Return the ends of a random line's part in the cube; a line goes along the numbers."""
    rng, numeric = attacker.rng, attacker.space.numeric
    through = rng.random(attacker.space.size)
    direction = np.zeros_like(through)
    direction[numeric] = unit(rng.normal(size=len(numeric)))
    at, slope = through[numeric], direction[numeric]
    walls = np.stack([-at / slope, (1.0 - at) / slope])
    return (
        through + walls.min(axis=0).max() * direction,
        through + walls.max(axis=0).min() * direction,
    )


def critical_points(attacker: Attacker) -> None:
    """Search one random line for the points at which the answer stops being linear."""
    start, end = _line(attacker)
    first, last = _logits(attacker, start), _logits(attacker, end)
    open_parts, found = [(0.0, first, 1.0, last)], 0
    while open_parts and found < CRITICAL_POINTS:
        low, at_low, high, at_high = open_parts.pop()
        middle = (low + high) / 2
        at_middle = _logits(attacker, start + middle * (end - start))
        bend = float(np.abs(at_middle[0] - (at_low[0] + at_high[0]) / 2).max())
        if bend <= 1e-4 + 4 * (at_low[1] + at_middle[1] + at_high[1]):
            continue
        if high - low < PRECISION:
            found += 1
            continue
        open_parts += [(middle, at_middle, high, at_high), (low, at_low, middle, at_middle)]
