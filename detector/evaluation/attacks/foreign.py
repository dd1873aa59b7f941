"""Surrogates from rows of another domain (Orekondy et al., "Knockoff Nets", CVPR 2019)."""

import numpy as np

from detector.evaluation.attacks.attack import Attacker


def sorted_rows(attacker: Attacker) -> None:
    """Ask for another domain's rows in the order of one of their columns, as files hold them."""
    rows = attacker.foreign
    column = int(attacker.rng.integers(rows.shape[1]))
    attacker.oracle.ask(rows[np.argsort(rows[:, column], kind="stable")])
