"""The oracle that clients and attackers query; it logs every query with its answer, in order."""

import numpy as np

from detector.evaluation.datasets import Coded
from detector.evaluation.models import Answers, Target
from detector.kit.errors import QuerywatchError


class BudgetSpentError(QuerywatchError):
    """The attacker has used up its queries; the attack ends here."""


class Recorder:
    """A target behind a query budget.

    Args:
        target: The model.
        budget: After this many queries `ask` raises `BudgetSpentError`.
    """

    def __init__(self, target: Target, budget: int) -> None:
        self.target = target
        self._budget = budget
        self._rows: list[Coded] = []
        self._answers: list[Answers] = []
        self._asked = 0

    def __len__(self) -> int:
        """Return the number of queries so far."""
        return self._asked

    @property
    def left(self) -> int:
        """Queries that the budget still allows."""
        return self._budget - self._asked

    def allow(self, queries: int) -> None:
        """Let that many more queries be made, whatever was left of the budget."""
        self._budget = self._asked + queries

    def ask(self, rows: Coded) -> Answers:
        """Query the model with (n, d) coded rows.

        Raises:
            BudgetSpentError: Fewer than n queries are left; those that are left are made first.
        """
        sent = self.target.as_sent(np.atleast_2d(rows))
        kept = sent[: self.left]
        if len(kept):
            answers = self.target.answer(kept)
            self._rows.append(kept)
            self._answers.append(answers)
            self._asked += len(kept)
        if len(kept) < len(sent):
            raise BudgetSpentError(f"{self._budget} queries used")
        return answers

    def rows(self) -> Coded:
        """Return all (q, d) rows as sent."""
        empty = np.empty((0, len(self.target.dataset.fields)))
        return np.concatenate(self._rows) if self._rows else empty

    def answers(self) -> Answers:
        """Return all answers."""
        return Answers(
            np.concatenate([a.labels for a in self._answers]),
            np.concatenate([a.scores for a in self._answers]),
        )
