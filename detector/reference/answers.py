"""A frozen sample of benign queries and the model's answers, to score surrogates on.

A query is kept as random Fourier features of its scaled cells (Rahimi and Recht 2007), not as its
cells, and an answer as a label code. Anybody who holds the sample and the cells of a query can
still tell whether that query is in it: a reference deserves the care that the log does.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from detector.events.batch import NO_LABEL, Floats
from detector.kit.compiled import compiled
from detector.reference.sketch import MAX_COLUMNS
from detector.reference.units import number_of, numbers_of

FEATURES = 32
MAX_QUERIES = 256
MIN_QUERIES = 32
MAX_LABELS = 16
CLIENT_SHARE = 0.05
BANDWIDTHS = 2.0
_SEED = 20_070


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
        return (*_frequencies(), self.bandwidth)

    def inputs(self) -> Floats:
        """Return the (m, 1 + `FEATURES`) features behind a constant."""
        return np.hstack([np.ones((len(self.features), 1)), self.features])


EMPTY = AnswerSample(np.zeros((0, FEATURES)), np.zeros(0), 1.0)


def draw_answers(
    z: NDArray[np.float32], labels: NDArray[np.int64], owner: NDArray[np.int64]
) -> AnswerSample:
    """Return a sample of (n, d) scaled folded benign queries, their answers and their clients.

    No client gives more than `CLIENT_SHARE` of it and no label fills more than half, as far as
    there are others: a model that mostly says no would otherwise be copied by saying no. Rarer
    labels than the `MAX_LABELS` commonest are left out. Without two labels it is empty.
    """
    known = np.flatnonzero(labels != NO_LABEL)
    codes, counts = np.unique(labels[known], return_counts=True)
    common = codes[np.argsort(-counts, kind="stable")[:MAX_LABELS]]
    candidates = known[np.isin(labels[known], common)]
    chosen = _spread(candidates, labels, owner)
    if len(chosen) < MIN_QUERIES or len(np.unique(labels[chosen])) < 2:
        return EMPTY
    bandwidth = BANDWIDTHS * _median_distance(np.tanh(numbers_of(z[chosen])))
    features = np.empty((len(chosen), FEATURES))
    for out, query in zip(features, z[chosen], strict=True):
        project(query, (*_frequencies(), bandwidth), out)
    return AnswerSample(features, labels[chosen].astype(np.float64), bandwidth)


def _spread(
    candidates: NDArray[np.intp], labels: NDArray[np.int64], owner: NDArray[np.int64]
) -> NDArray[np.intp]:
    """Return up to `MAX_QUERIES` of the rows, in random order, under both caps."""
    most_a_client = int(MAX_QUERIES * CLIENT_SHARE)
    most_a_label = MAX_QUERIES // 2
    chosen: list[int] = []
    clients: dict[int, int] = {}
    answers: dict[int, int] = {}
    order = np.random.default_rng(_SEED).permutation(len(candidates))
    for i in candidates[order]:
        client, label = int(owner[i]), int(labels[i])
        full = clients.get(client, 0) >= most_a_client or answers.get(label, 0) >= most_a_label
        if full or len(chosen) >= MAX_QUERIES:
            continue
        clients[client] = clients.get(client, 0) + 1
        answers[label] = answers.get(label, 0) + 1
        chosen.append(int(i))
    return np.array(chosen, dtype=np.intp)


def _median_distance(points: Floats) -> float:
    median = float(np.median(pdist(points)))
    return median if median > 0.0 else 1.0


@lru_cache(maxsize=1)
def _frequencies() -> tuple[Floats, Floats]:
    rng = np.random.default_rng(_SEED)
    waves = rng.standard_normal((MAX_COLUMNS, FEATURES))
    return waves, rng.uniform(0.0, 2.0 * np.pi, FEATURES)


@compiled
def project(z: Any, basis: Any, out: Any) -> None:
    """Write sqrt(2) cos(w·x / bandwidth + b) of one query, scaled folded cells (d,), to `out`.

    `out` is (`FEATURES`,) and `basis` that of the sample.
    """
    waves, phases, bandwidth = basis
    out[:] = 0.0
    for j in range(len(z)):
        # Heavy tails must not fill the features' range.
        x = np.tanh(number_of(z[j]))
        for f in range(len(out)):
            out[f] += x * waves[j, f]
    for f in range(len(out)):
        out[f] = np.sqrt(2.0) * np.cos(out[f] / bandwidth + phases[f])
