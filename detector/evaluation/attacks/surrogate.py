"""The attacker's surrogate: a small network with the gradient of its scores."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from detector.evaluation.datasets import Coded, Labels


class Surrogate:
    """A one-hidden-layer network over the unit cube.

    Args:
        seed: Of its initial weights.
        hidden: Hidden units.
        iterations: Of its optimiser, for each fit.
    """

    def __init__(self, seed: int, hidden: int = 24, iterations: int = 60) -> None:
        self._network = MLPClassifier(
            (hidden,), max_iter=iterations, solver="lbfgs", random_state=seed
        )
        self._constant = True

    def fit(self, points: Coded, labels: Labels) -> None:
        """Learn from answered queries; one label alone teaches nothing yet."""
        self._constant = len(np.unique(labels)) < 2
        if not self._constant:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                self._network.fit(points, labels)

    def scores(self, points: Coded, classes: int) -> Coded:
        """Return (n, classes) scores: even ones before anything was learnt, 0 for unseen labels."""
        if self._constant:
            return np.full((len(points), classes), 1.0 / classes)
        scores = np.zeros((len(points), classes))
        scores[:, self._network.classes_] = self._network.predict_proba(points)
        return scores

    def margin(self, points: Coded) -> Coded:
        """Return best minus second-best score of each point; 0 before anything was learnt."""
        if self._constant:
            return np.zeros(len(points))
        ordered = np.sort(self._network.predict_proba(points), axis=1)
        margins: Coded = ordered[:, -1] - ordered[:, -2]
        return margins

    def gradient(self, points: Coded, labels: Labels) -> Coded:
        """Return the (n, D) gradient of each point's score for its label (the Jacobian's row)."""
        if self._constant:
            return np.zeros_like(points)
        first, second = self._network.coefs_
        active = (points @ first + self._network.intercepts_[0] > 0).astype(np.float64)
        if second.shape[1] == 1:
            sign = np.where(labels == self._network.classes_[1], 1.0, -1.0)
            upper = sign[:, None] * second[:, 0]
        else:
            columns = np.clip(
                np.searchsorted(self._network.classes_, labels), 0, second.shape[1] - 1
            )
            upper = second[:, columns].T
        gradients: Coded = (active * upper) @ first.T
        return gradients
