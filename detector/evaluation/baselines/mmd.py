"""Maximum mean discrepancy between a window of a client's queries and benign traffic.

Gretton et al., "A Kernel Two-Sample Test", JMLR 13 (2012), with a Gaussian kernel of the median
heuristic's bandwidth, by random Fourier features (Rahimi and Recht, NIPS 2007).
"""

from collections.abc import Sequence

import numpy as np

from detector.evaluation.datasets import Coded, Labels

FREQUENCIES = 256
STRIDE = 8
SAMPLE = 1000


class MmdWindow:
    """The squared discrepancy of a sliding window against the reference.

    The threshold is the largest value that any reference client ever reached. With m reference
    clients of a window or more, an exchangeable benign client passes it with probability 1/(m + 1)
    at most; a lower rate cannot be had from them.

    Args:
        window: Queries in the window; shorter lives are never tested.
        seed: Of the features.
    """

    def __init__(self, window: int, seed: int) -> None:
        self._window = window
        self._seed = seed

    def calibrate(self, clients: Sequence[Coded]) -> None:
        """Fix bandwidth, benign mean and threshold; raises ValueError without any client."""
        rng = np.random.default_rng(self._seed)
        rows = np.concatenate(list(clients))
        sample = rows[rng.permutation(len(rows))[:SAMPLE]]
        pairs = sample[rng.permutation(len(sample))] - sample
        bandwidth = float(np.median(np.linalg.norm(pairs, axis=1))) or 1.0
        self._weights = rng.normal(0.0, 1.0 / bandwidth, (rows.shape[1], FREQUENCIES))
        self._phases = rng.uniform(0.0, 2 * np.pi, FREQUENCIES)
        # Each client counts the same, however long it lived.
        self._mean = np.mean([self._features(client).mean(axis=0) for client in clients], axis=0)
        largest = [self._discrepancies(client).max(initial=0.0) for client in clients]
        self._threshold = max(largest)

    def alarm(self, points: Coded, labels: Labels) -> int | None:
        """Return the ordinal at which the window passes the threshold, None for never."""
        passed = np.flatnonzero(self._discrepancies(points) > self._threshold)
        return self._window + STRIDE * int(passed[0]) if len(passed) else None

    def _features(self, points: Coded) -> Coded:
        lifted: Coded = np.sqrt(2.0 / FREQUENCIES) * np.cos(points @ self._weights + self._phases)
        return lifted

    def _discrepancies(self, points: Coded) -> Coded:
        """Return the squared discrepancy of each window, `STRIDE` queries apart."""
        if len(points) < self._window:
            return np.empty(0)
        sums = np.cumsum(self._features(points), axis=0)
        sums = np.concatenate([np.zeros((1, FREQUENCIES)), sums])
        starts = np.arange(0, len(points) - self._window + 1, STRIDE)
        means = (sums[starts + self._window] - sums[starts]) / self._window
        squared: Coded = ((means - self._mean) ** 2).sum(axis=1)
        return squared
