"""Surrogates from natural rows chosen by uncertainty.

Active learning as in Chandrasekaran et al., "Exploring Connections between Active Learning and
Model Extraction", USENIX Security 2020: by the margin of one surrogate, or by the disagreement of
several (Seung et al., "Query by Committee", COLT 1992).
"""

from collections.abc import Callable, Sequence

import numpy as np

from detector.evaluation.attacks.attack import Attacker, distinct
from detector.evaluation.attacks.surrogate import Surrogate
from detector.evaluation.datasets import Coded

BATCH = 20
COMMITTEE_BATCH = 10
ITERATIONS = 30
HIDDEN = (8, 16, 24)


def _query(
    attacker: Attacker,
    surrogates: Sequence[Surrogate],
    doubt: Callable[[Coded], Coded],
    batch: int,
) -> None:
    """Ask for the pool's rows with most doubt, batch after batch, the first one at random."""
    rows = distinct(attacker.natural)
    pool = attacker.space.encode(rows)
    chosen = attacker.rng.choice(len(pool), min(batch, len(pool)), replace=False)
    open_rows = np.ones(len(pool), dtype=bool)
    asked, labels = chosen[:0], np.empty(0, dtype=np.int64)
    while True:
        open_rows[chosen] = False
        labels = np.concatenate([labels, attacker.oracle.ask(rows[chosen]).labels])
        asked = np.concatenate([asked, chosen])
        for surrogate in surrogates:
            surrogate.fit(pool[asked], labels)
        left = np.flatnonzero(open_rows)
        if not len(left):
            return
        chosen = left[np.argsort(-doubt(pool[left]), kind="stable")[:batch]]


def active_learning(attacker: Attacker) -> None:
    """Ask for the pool's rows that the surrogate is least sure of."""
    surrogate = Surrogate(seed=int(attacker.rng.integers(2**31)))
    _query(attacker, [surrogate], lambda points: -surrogate.margin(points), BATCH)


def committee(attacker: Attacker) -> None:
    """Ask for the pool's rows on whose scores three surrogates differ most."""
    seeds = attacker.rng.integers(2**31, size=len(HIDDEN)).tolist()
    members = [
        Surrogate(seed, hidden, ITERATIONS) for seed, hidden in zip(seeds, HIDDEN, strict=True)
    ]
    classes = len(attacker.oracle.target.dataset.classes)

    def disagreement(points: Coded) -> Coded:
        votes = np.stack([member.scores(points, classes) for member in members])
        spread: Coded = votes.var(axis=0).sum(axis=1)
        return spread

    _query(attacker, members, disagreement, COMMITTEE_BATCH)
