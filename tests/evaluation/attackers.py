"""Attackers on a small budget, and what they asked."""

from contextlib import suppress

import numpy as np

from detector.evaluation.attacks import ATTACKS
from detector.evaluation.attacks.attack import Attack, Attacker
from detector.evaluation.datasets import Coded
from detector.evaluation.models import Target
from detector.evaluation.recorder import BudgetSpentError, Recorder
from detector.evaluation.space import Space


def named(name: str) -> Attack:
    [attack] = [a for a in ATTACKS if a.name == name]
    return attack


def attacker(target: Target, budget: int, seed: int = 1) -> Attacker:
    return Attacker(
        oracle=Recorder(target, budget),
        space=Space(target.dataset),
        natural=target.outside,
        foreign=target.outside[::-1],
        candidates=np.concatenate([target.members[:50], target.outside[:50]]),
        rng=np.random.default_rng(seed),
    )


def run(name: str, target: Target, budget: int, seed: int = 1) -> Attacker:
    someone = attacker(target, budget, seed)
    named(name).execute(someone)
    return someone


def run_once(name: str, target: Target, budget: int, seed: int = 1) -> Attacker:
    """Run to the first end of the attack: on one record, or on one class."""
    someone = attacker(target, budget, seed)
    with suppress(BudgetSpentError):
        named(name).run(someone)
    return someone


def points(someone: Attacker) -> Coded:
    return someone.space.encode(someone.oracle.rows())
