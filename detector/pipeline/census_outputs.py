"""What answers a log holds: labels, values, how many of the scores and how finely rounded."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from detector.events.batch import Floats
from detector.events.model import Output, PredictionEvent
from detector.pipeline.census_fields import share
from detector.reference.grids import GRID_TOLERANCE

FIRST_ERROR = 400
MOST_DECIMALS = 6
FINE_DECIMALS = 3
ROUNDED_SHARE = 0.99
FEWEST_SCORES = 20
"""Below so many scores strictly between 0 and 1 nothing is said about their rounding."""


class ScoreForm(StrEnum):
    """How much of the scores an answer shows."""

    FULL = "full"
    SOME = "some"
    ONE = "one"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class OutputFacts:
    """All answers of a model; an answer is a record whose status is no error.

    Attributes:
        answered: Number of answers.
        label: Share of answers with a label.
        classified: Share of answers from which a class is known: a label or scores.
        value: Share of answers with a regression's value.
        scores: Share of answers by form of their scores; they sum to 1.
        scored: Share of answers with scores.
        fully_scored: Share of answers with all scores, not rounded under `FINE_DECIMALS` digits.
        classes: Most scores in one answer.
        decimals: Digits that scores are rounded to, up to 6; None when they are not.
    """

    answered: int
    label: float
    classified: float
    value: float
    scores: dict[ScoreForm, float]
    scored: float
    fully_scored: float
    classes: int
    decimals: int | None


def score_form(output: Output) -> ScoreForm:
    """Return how much of the scores an answer shows.

    A lone score without a label is taken as the probability of class 1 of two, hence for all.
    """
    scores = output.scores
    if not scores:
        return ScoreForm.NONE
    if len(scores) == 1:
        return ScoreForm.FULL if output.label is None else ScoreForm.ONE
    total = sum(scores.values() if isinstance(scores, Mapping) else scores)
    # Two digits a class may round away half of the last digit each.
    return ScoreForm.FULL if total >= 1.0 - max(0.02, 0.005 * len(scores)) else ScoreForm.SOME


class OutputCensus:
    """Counts of one model's answers, of constant size."""

    def __init__(self) -> None:
        self._answered = 0
        self._labels = 0
        self._classified = 0
        self._values = 0
        self._classes = 0
        self._forms: Counter[ScoreForm] = Counter()
        self._between = 0
        self._rounded = np.zeros(MOST_DECIMALS, dtype=np.int64)

    def add(self, events: Iterable[PredictionEvent]) -> None:
        """Take some records; those with an error status are passed over."""
        scores: list[float] = []
        for event in events:
            if event.status < FIRST_ERROR:
                self._answer(event.output or Output(), scores)
        self._round(np.array(scores))

    def _answer(self, output: Output, scores: list[float]) -> None:
        form = score_form(output)
        self._answered += 1
        self._forms[form] += 1
        self._labels += output.label is not None
        self._classified += output.label is not None or form is not ScoreForm.NONE
        self._values += output.value is not None
        if output.scores:
            self._classes = max(self._classes, len(output.scores))
            scores += (
                output.scores.values() if isinstance(output.scores, Mapping) else output.scores
            )

    def _round(self, scores: Floats) -> None:
        between = scores[(scores > 0.0) & (scores < 1.0)]
        self._between += len(between)
        for digits in range(1, MOST_DECIMALS + 1):
            multiples = between * 10.0**digits
            near = np.abs(multiples - np.round(multiples)) <= GRID_TOLERANCE
            self._rounded[digits - 1] += near.sum()

    def facts(self) -> OutputFacts:
        """Return what was counted."""
        decimals = self._decimals()
        forms = {form: share(self._forms[form], self._answered) for form in ScoreForm}
        fine = decimals is None or decimals >= FINE_DECIMALS
        return OutputFacts(
            answered=self._answered,
            label=share(self._labels, self._answered),
            classified=share(self._classified, self._answered),
            value=share(self._values, self._answered),
            scores=forms,
            scored=share(self._answered - self._forms[ScoreForm.NONE], self._answered),
            fully_scored=forms[ScoreForm.FULL] if fine else 0.0,
            classes=self._classes,
            decimals=decimals,
        )

    def _decimals(self) -> int | None:
        if self._between < FEWEST_SCORES:
            return None
        enough = np.flatnonzero(self._rounded >= ROUNDED_SHARE * self._between)
        return int(enough[0]) + 1 if len(enough) else None
