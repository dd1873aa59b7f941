"""Drawing the sample of benign queries and answers that surrogates are scored on."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from detector.events.batch import NO_LABEL, Floats
from detector.reference.answers import EMPTY, FEATURES, SEED, AnswerSample, basis, project
from detector.reference.units import numbers_of

MAX_QUERIES = 256
MIN_QUERIES = 32
MAX_LABELS = 16
CLIENT_SHARE = 0.05
BANDWIDTHS = 2.0


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
        project(query, basis(bandwidth), out)
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
    order = np.random.default_rng(SEED).permutation(len(candidates))
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
