"""The attacks and benign clients of the evaluation, against a user's own model and traffic."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from detector.evaluation import benign, population
from detector.evaluation.attacks import ATTACKS
from detector.evaluation.attacks.attack import WEEK
from detector.evaluation.datasets import Dataset, load
from detector.evaluation.generate import LOG_WEEK, foreign_rows
from detector.evaluation.narrow import narrowed
from detector.evaluation.observer import ObserverFactory
from detector.evaluation.outcome import Outcome, Place
from detector.evaluation.own_model import OwnModel, Predict, QueriesSpentError, own_target
from detector.evaluation.streams import Service
from detector.evaluation.trial import Scope, Trial, Weeks
from detector.evaluation.workload import Workload
from detector.kit.errors import ConfigurationError

FOREIGN = "digits"
NEWCOMER_SHARE = 0.04


@dataclass(frozen=True, slots=True)
class Orders:
    """What to do to a user's model.

    Attributes:
        load: How much of each stream.
        only: Words that narrow it down to variants, techniques or benign kinds.
        seed: Another seed gives other clients.
        budget: Rows that the model may be asked in all.
        rivals: Whether the baselines and the surrogates are tried too.
    """

    load: Workload
    only: tuple[str, ...]
    seed: int
    budget: int
    rivals: bool = True


def red_team(
    dataset: Dataset, predict: Predict, orders: Orders, make_observer: ObserverFactory
) -> tuple[list[Outcome], bool]:
    """Return the outcomes, and whether the budget sufficed for all of them.

    Benign clients come first, then pure attacks, those by volume last, then hidden ones.

    Raises:
        ConfigurationError: The budget does not suffice for the reference.
        QuerywatchError: The model answers in a shape that it must not.
    """
    model = OwnModel(predict, orders.budget)
    outcomes = list(_until_spent(dataset, model, orders, make_observer))
    if not outcomes and model.spent:
        raise ConfigurationError(
            f"--budget: {orders.budget:,} rows do not suffice to learn what is benign"
        )
    return outcomes, not model.spent


def _until_spent(
    dataset: Dataset, model: OwnModel, orders: Orders, make_observer: ObserverFactory
) -> Iterator[Outcome]:
    with suppress(QueriesSpentError):
        yield from _trial(dataset, model, orders, make_observer).outcomes()


def _trial(
    dataset: Dataset, model: OwnModel, orders: Orders, make_observer: ObserverFactory
) -> Trial:
    rng = np.random.default_rng([orders.seed, *dataset.name.encode()])
    target = own_target(dataset, model, rng)
    foreign = foreign_rows(target.dataset, load(FOREIGN), rng)
    people = population.build(target.dataset, dataset.rows, seed=orders.seed)
    fewest = NEWCOMER_SHARE * len(dataset.rows)
    newcomer = next(i for i, rows in enumerate(people.segments) if len(rows) >= fewest)
    attacks, kinds = narrowed(ATTACKS, tuple(benign.KINDS), orders.only)
    scope = Scope(
        attacks=tuple(sorted(attacks, key=lambda attack: attack.is_volume)),
        kinds=kinds,
        reference_kinds=tuple(benign.KINDS),
        load=orders.load,
        seed=orders.seed,
        turn=0,
        rivals=orders.rivals,
    )
    weeks = Weeks(
        Service(target, people, newcomer, foreign, LOG_WEEK - WEEK),
        Service(target, people, newcomer, foreign, LOG_WEEK),
        Place(dataset.name, dataset.name, "own", str(target.form), str(target.wire)),
    )
    return Trial(weeks, scope, make_observer())
