"""What an attack is here: a procedure that queries a real model through a `Recorder`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from detector.evaluation.datasets import Coded
from detector.evaluation.models import Answers, OutputForm
from detector.evaluation.recorder import BudgetSpentError, Recorder
from detector.evaluation.space import Space
from detector.scoring.finding import AttackClass

ALL_FORMS = frozenset(OutputForm)
SCORES = frozenset({OutputForm.TOP1, OutputForm.FULL})
# Techniques that change numbers by little: where there are none, they would only repeat themselves.
_BY_LITTLE = frozenset(
    {
        "functionally_equivalent", "jacobian_augmentation", "data_free", "confidence_ascent",
        "sphere_sampling", "boundary_distance", "augmentation_bursts", "boundary_walk",
        "coordinate_steps", "random_square", "score_descent", "few_fields",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Attacker:
    """What an attacker has at hand.

    Attributes:
        oracle: The model, behind the query budget.
        space: The known ranges and categories.
        natural: (n, d) natural rows of the same domain, of the attacker's own.
        foreign: (n, d) rows of another domain, rescaled to this one's ranges.
        candidates: (n, d) records whose membership in the training data is in question.
        rng: This attacker's source of chance.
    """

    oracle: Recorder
    space: Space
    natural: Coded
    foreign: Coded
    candidates: Coded
    rng: Generator

    def ask(self, points: Coded) -> Answers:
        """Query with (n, D) points of the unit cube."""
        return self.oracle.ask(self.space.decode(points))

    def seeds(self, n: int) -> Coded:
        """Return n natural points of the cube."""
        picks = self.rng.choice(len(self.natural), n, replace=n > len(self.natural))
        return self.space.encode(self.natural[picks])

    def victim_class(self) -> int:
        """Return a random class, whose inside is to be found."""
        return int(self.rng.integers(len(self.oracle.target.dataset.classes)))


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a stream takes from its first query to its last.

    Attributes:
        shortest: Seconds.
        longest: Seconds; spans are spread log-uniformly between the two.
    """

    shortest: float
    longest: float


WEEK = 7 * 86_400.0
SLOW = Pace(2 * WEEK, 6 * WEEK)


@dataclass(frozen=True, slots=True)
class Attack:
    """One way to attack.

    Attributes:
        name: Of this variant.
        technique: The hypothesis it should be recognised as.
        attack_class: The class of that hypothesis.
        budget: Queries, as published or as large as needed for its first success.
        run: The procedure; it may return early or run into the budget.
        forms: Output forms with which it works at all.
        detectable: False where no sequence of queries can show it (roster membership).
        pool: Natural rows of the attacker's own.
        pace: The attack's own pace, where it has one.
        is_volume: Whether the number of queries is the attack: no ceiling cuts it, and ordinary
            queries beside it would only be more of the same.
    """

    name: str
    technique: str
    attack_class: AttackClass
    budget: int
    run: Callable[[Attacker], None]
    forms: frozenset[OutputForm] = ALL_FORMS
    detectable: bool = True
    pool: int = 600
    pace: Pace | None = None
    is_volume: bool = False

    def works(self, form: OutputForm, space: Space) -> bool:
        """Return whether it can be run on a model with these answers and inputs."""
        moves = len(space.numeric) > 0 or self.technique not in _BY_LITTLE
        return form in self.forms and moves

    def queries(self, ceiling: int) -> int:
        """Return how many queries to make where other clients make at most `ceiling`."""
        return self.budget if self.is_volume else min(self.budget, ceiling)

    def execute(self, attacker: Attacker) -> None:
        """Run until the attack ends or its budget is spent."""
        try:
            while attacker.oracle.left:
                before = len(attacker.oracle)
                self.run(attacker)
                if len(attacker.oracle) == before:
                    return
        except BudgetSpentError:
            return


def distinct(rows: Coded) -> Coded:
    """Return the (n, d) rows in their order, each but once; missing equals missing."""
    _, first = np.unique(np.nan_to_num(rows, nan=np.inf), axis=0, return_index=True)
    return rows[np.sort(first)]


def unit(directions: Coded) -> Coded:
    """Return the rows scaled to length one."""
    norms = np.linalg.norm(directions, axis=-1, keepdims=True)
    scaled: Coded = directions / np.maximum(norms, 1e-12)
    return scaled
