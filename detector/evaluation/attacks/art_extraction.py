"""Surrogates from natural rows by ART, its thief a scikit-learn forest.

Knockoff Nets (Orekondy et al., CVPR 2019, random strategy) and Copycat CNN (Correia-Silva et al.,
IJCNN 2018). The rows go to the model in the fields' own units: ART computes in single precision,
which holds the six digits that are sent, while the cube's scaling would blur natural grids.
"""

from typing import Any

import numpy as np
from art.attacks.extraction import CopycatCNN, KnockoffNets
from art.estimators.classification.scikitlearn import ScikitlearnRandomForestClassifier
from sklearn.ensemble import RandomForestClassifier

from detector.evaluation.attacks.art_estimator import chance, over_rows
from detector.evaluation.attacks.attack import Attacker
from detector.evaluation.datasets import Coded

BATCH = 32
TREES = 25


class Thief(ScikitlearnRandomForestClassifier):  # type: ignore[misc]  # ART ships no types
    """A forest that ART can train: its attacks name batches and epochs, which forests lack."""

    def fit(self, x: Coded, y: Coded, **_: Any) -> None:
        """Learn from (n, d) rows and their (n, c) one-hot answers; one label teaches nothing."""
        if len(np.unique(y.argmax(axis=1))) > 1:
            super().fit(x, y)


def _steal(kind: type[Any], attacker: Attacker, rows: Coded) -> None:
    """Let ART choose among the (n, d) rows, ask for them and train the thief."""
    attack = kind(
        over_rows(attacker), batch_size_query=BATCH, nb_stolen=min(attacker.oracle.left, len(rows))
    )
    seed = int(attacker.rng.integers(2**31))
    thief = Thief(model=RandomForestClassifier(TREES, random_state=seed))
    with chance(attacker.rng):
        attack.extract(rows, thieved_classifier=thief)


def knockoff(attacker: Attacker) -> None:
    """Ask for rows of another domain, rescaled to this one's ranges."""
    _steal(KnockoffNets, attacker, attacker.foreign)


def copycat(attacker: Attacker) -> None:
    """Ask for another domain's rows mixed with the problem's own, each with a little noise."""
    n = min(len(attacker.foreign), 4 * len(attacker.natural))
    foreign = attacker.space.encode(attacker.foreign[:n])
    own = attacker.seeds(max(1, n // 4))
    points = np.concatenate([foreign, own])
    numeric = attacker.space.numeric
    points[:, numeric] += attacker.rng.normal(0, 0.02, (len(points), len(numeric)))
    _steal(CopycatCNN, attacker, attacker.space.decode(points))
