"""What an attacker could reproduce of the model: a surrogate fitted to the answers so far.

Fidelity is agreement with the model on natural rows (Jagielski et al., "High Accuracy and High
Fidelity Extraction of Neural Networks", USENIX Security 2020). Its gain is counted from the share
of the commonest answer, which costs no query.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from detector.evaluation.datasets import Coded, Labels
from detector.evaluation.models import ModelKind, Target
from detector.evaluation.space import Space

JUDGED_ROWS = 500
TREES = 60
SMOOTH = frozenset({ModelKind.LOGISTIC, ModelKind.MLP})


@dataclass(frozen=True, slots=True)
class FidelityGain:
    """Agreement with the model on natural rows, shares in [0, 1].

    Attributes:
        chance: Share of the model's commonest answer.
        at_alarm: After the queries up to the alarm; all of them where there was none.
        final: After all queries.
    """

    chance: float
    at_alarm: float
    final: float

    @property
    def gain(self) -> float:
        """What all queries gave over chance, at least 0."""
        return max(self.final - self.chance, 0.0)

    @property
    def gain_at_alarm(self) -> float:
        """What the queries up to the alarm gave over chance, at least 0."""
        return max(self.at_alarm - self.chance, 0.0)


class Judge:
    """Natural rows, the model's answers to them, and the surrogate to try."""

    def __init__(self, target: Target, seed: int) -> None:
        rows = target.as_sent(target.outside[:JUDGED_ROWS])
        self._points = Space(target.dataset).encode(rows)
        self._labels = target.answer(rows).labels
        self._make = _surrogate(target.kind, seed)
        self.chance = float(np.bincount(self._labels).max() / len(self._labels))

    def agreement(self, points: Coded, labels: Labels) -> float:
        """Return the fidelity of a surrogate fitted to (n, D) points and their (n,) answers."""
        if len(np.unique(labels)) < 2:
            return float((self._labels == labels[0]).mean()) if len(labels) else 0.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            surrogate = self._make().fit(points, labels)
        return float((surrogate.predict(self._points) == self._labels).mean())

    def gain(self, points: Coded, labels: Labels, alarm: int | None) -> FidelityGain:
        """Return the gain at the alarm (a number of queries, None for never) and at the end."""
        final = self.agreement(points, labels)
        at_alarm = final
        if alarm is not None and alarm < len(labels):
            at_alarm = self.agreement(points[:alarm], labels[:alarm])
        return FidelityGain(self.chance, at_alarm, final)


def _surrogate(kind: ModelKind, seed: int) -> Callable[[], Any]:
    """Return what an attacker who knows the model's family would fit."""
    if kind in SMOOTH:
        return lambda: MLPClassifier((32,), solver="lbfgs", max_iter=150, random_state=seed)
    return lambda: RandomForestClassifier(TREES, random_state=seed)
