"""A frozen sample of benign queries and the model's answers, to score surrogates on.

A query is kept as random Fourier features of its scaled cells (Rahimi and Recht 2007), not as its
cells, and an answer as a label code. Anybody who holds the sample and the cells of a query can
still tell whether that query is in it: a reference deserves the care that the log does.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from detector.events.batch import Floats
from detector.kit.compiled import borrowing, compiled, dividing
from detector.reference.sketch import MAX_COLUMNS
from detector.reference.units import number_of

FEATURES = 32
SEED = 20_070
_SQRT_2 = float(np.sqrt(2.0))
_PER_TURN = float(0.5 / np.pi)
# Of the sine's series, last first, each as a share of the term before: 1 / (2 k (2 k + 1)).
_SINE = tuple(1.0 / (2 * k * (2 * k + 1)) for k in range(8, 0, -1))


@dataclass(frozen=True, slots=True)
class AnswerSample:
    """Benign queries of many clients; m queries, 0 when there is nothing to score on.

    Attributes:
        features: (m, `FEATURES`) random Fourier features.
        labels: (m,) label codes as float64, which holds them exactly.
        bandwidth: Length scale of the features in squashed units.
    """

    features: Floats
    labels: Floats
    bandwidth: float

    @property
    def chance(self) -> float:
        """Share of the commonest label: the agreement of a surrogate that knows nothing else."""
        if not len(self.labels):
            return 1.0
        _, counts = np.unique(self.labels, return_counts=True)
        return float(counts.max() / len(self.labels))

    def basis(self) -> tuple[Floats, Floats, float]:
        """Return what `project` needs to give the features of further queries."""
        return basis(self.bandwidth)

    def inputs(self) -> Floats:
        """Return the (m, 1 + `FEATURES`) features behind a constant."""
        return np.hstack([np.ones((len(self.features), 1)), self.features])


EMPTY = AnswerSample(np.zeros((0, FEATURES)), np.zeros(0), 1.0)


def basis(bandwidth: float) -> tuple[Floats, Floats, float]:
    """Return what `project` needs for features of that length scale."""
    return (*_frequencies(), bandwidth)


@lru_cache(maxsize=1)
def _frequencies() -> tuple[Floats, Floats]:
    rng = np.random.default_rng(SEED)
    waves = rng.standard_normal((MAX_COLUMNS, FEATURES))
    return waves, rng.uniform(0.0, 2.0 * np.pi, FEATURES)


@dividing
def tanh(x: Any) -> None:
    """Replace the (n,) numbers in [-10, 10] by their hyperbolic tangents, to the last digits.

    An eighth of each goes through Lambert's continued fraction, then doubles its argument three
    times. Several are worked on at once, which the mathematical library's function is not.
    """
    for j in range(len(x)):
        a = x[j] * 0.125
        s = a * a
        above = a * (135135.0 + s * (17325.0 + s * (378.0 + s)))
        below = 135135.0 + s * (62370.0 + s * (3150.0 + s * 28.0))
        t = above / below
        t = 2.0 * t / (1.0 + t * t)
        t = 2.0 * t / (1.0 + t * t)
        x[j] = 2.0 * t / (1.0 + t * t)


@borrowing
def cos(x: Any) -> None:
    """Replace the (n,) numbers by their cosines, to ten digits where they are below a million.

    1 - 2 sin² of the half, which is brought within a quarter turn of 0, by the sine's own series.
    """
    for f in range(len(x)):
        turns = x[f] * _PER_TURN
        half = (turns - np.floor(turns + 0.5)) * np.pi
        s = half * half
        series = 1.0
        for k in range(len(_SINE)):
            series = 1.0 - s * _SINE[k] * series
        x[f] = 1.0 - 2.0 * s * series * series


@compiled
def project(z: Any, basis: Any, out: Any) -> None:
    """Write sqrt(2) cos(w·x / bandwidth + b) of one query, scaled folded cells (d,), to `out`.

    `out` is (`FEATURES`,) and `basis` that of the sample.
    """
    waves, phases, bandwidth = basis
    x = np.empty(len(z))
    for j in range(len(z)):
        x[j] = number_of(z[j])
    # Heavy tails must not fill the features' range.
    tanh(x)
    out[:] = 0.0
    for j in range(len(z)):
        for f in range(len(out)):
            out[f] += x[j] * waves[j, f]
    for f in range(len(out)):
        out[f] = out[f] / bandwidth + phases[f]
    cos(out)
    for f in range(len(out)):
        out[f] *= _SQRT_2
