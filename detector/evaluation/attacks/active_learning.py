"""Surrogates from natural rows chosen by margin.

Active learning as in Chandrasekaran et al., "Exploring Connections between Active Learning and
Model Extraction", USENIX Security 2020.
"""

import numpy as np

from detector.evaluation.attacks.attack import Attacker
from detector.evaluation.attacks.surrogate import Surrogate

BATCH = 20


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
