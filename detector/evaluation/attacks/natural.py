"""Surrogates from natural rows.

Orekondy et al., "Knockoff Nets", CVPR 2019, random strategy;
Correia-Silva et al., "Copycat CNN", IJCNN 2018; and margin-based active learning as in
Chandrasekaran et al., "Exploring Connections between Active Learning and Model Extraction",
USENIX Security 2020.
"""

import numpy as np

from detector.evaluation.attacks.attack import Attacker
from detector.evaluation.attacks.surrogate import Surrogate

BATCH = 20


def knockoff(attacker: Attacker) -> None:
    """Ask for rows of another domain, rescaled to this one's ranges."""
    picks = attacker.rng.permutation(len(attacker.foreign))
    for start in range(0, len(picks), BATCH):
        attacker.oracle.ask(attacker.foreign[picks[start : start + BATCH]])


def copycat(attacker: Attacker) -> None:
    """Ask for another domain's rows mixed with the problem's own, each with a little noise."""
    n = min(len(attacker.foreign), 4 * len(attacker.natural))
    foreign = attacker.space.encode(attacker.foreign[:n])
    own = attacker.seeds(max(1, n // 4))
    points = np.concatenate([foreign, own])
    numeric = attacker.space.numeric
    points[:, numeric] += attacker.rng.normal(0, 0.02, (len(points), len(numeric)))
    attacker.ask(attacker.rng.permutation(points))


def active_learning(attacker: Attacker) -> None:
    """Ask for the pool's rows that the surrogate is least sure of."""
    pool = attacker.space.encode(attacker.natural)
    surrogate = Surrogate(seed=int(attacker.rng.integers(2**31)))
    chosen = attacker.rng.choice(len(pool), min(BATCH, len(pool)), replace=False)
    open_rows = np.ones(len(pool), dtype=bool)
    asked, labels = pool[:0], np.empty(0, dtype=np.int64)
    while len(chosen):
        open_rows[chosen] = False
        labels = np.concatenate([labels, attacker.ask(pool[chosen]).labels])
        asked = np.concatenate([asked, pool[chosen]])
        surrogate.fit(asked, labels)
        left = np.flatnonzero(open_rows)
        chosen = left[np.argsort(surrogate.margin(pool[left]), kind="stable")[:BATCH]]
