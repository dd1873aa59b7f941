"""How a model's inputs and answers are laid out in columns, as benign traffic shows it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from detector.events.batch import MAX_CLASSES, ColumnTable, Floats
from detector.reference.sketch import RAW, fold

PROBABILITIES = (0.0, 1.0)
SLACK, ODD_SCORES = 1e-6, 0.001


@dataclass(frozen=True, slots=True)
class Layout:
    """What stands in which column, and in which units.

    Attributes:
        units: (2, f) medians and units of the f fields before folding; `RAW` where none are folded.
        classes: Label codes of the score columns known by label, in order.
        by_position: Whether benign inputs give their fields by name and always in one order, so
            that a row without names can be read.
        scores: Least and largest score to be reckoned with.
    """

    units: Floats
    classes: tuple[int, ...]
    by_position: bool
    scores: tuple[float, float]

    @property
    def is_plain(self) -> bool:
        """Whether it says nothing."""
        rest = (self.classes, self.by_position, self.scores)
        return not self.units.size and rest == ((), False, PROBABILITIES)

    def table(self, names: tuple[str, ...], classes: Iterable[int] = ()) -> ColumnTable:
        """Return frozen columns of the fields: what a reference lacks carries no evidence.

        `classes` are those met so far by who has none in the layout.
        """
        most = len(self.classes) or MAX_CLASSES
        return ColumnTable(names, len(names), self.classes or classes, most, self.by_position)

    def fold(self, cells: Floats, names: tuple[str, ...]) -> tuple[Floats, tuple[str, ...]]:
        """Return (n, f) cells of the fields folded, and the names of the folded columns."""
        return fold(cells, names, self.units)

    def shares(self, scores: Floats) -> Floats:
        """Return scores as shares of the range to be reckoned with; probabilities stay."""
        if self.scores == PROBABILITIES:
            return scores
        low, high = self.scores
        return (scores - low) / (high - low)

    def check(self, width: int) -> None:
        """Raise `ValueError` unless it fits that many fields."""
        if self.units.size and self.units.shape != (2, width):
            raise ValueError(f"units have the shape {self.units.shape} for {width} fields")
        if len(self.classes) > MAX_CLASSES or not self.scores[0] < self.scores[1]:
            raise ValueError("the layout of scores makes no sense")


PLAIN = Layout(RAW, (), False, PROBABILITIES)
"""That of references which were built before there was any."""


def table_layout(table: ColumnTable, scores: Floats) -> Layout:
    """Return the layout of benign events in these columns; units are yet to be learnt."""
    return Layout(RAW, table.classes, table.by_position, score_range(scores))


def score_range(scores: Floats) -> tuple[float, float]:
    """Return the least and the largest of (n, c) scores to be reckoned with, NaN where absent.

    Of scores that are no probabilities (logits, percentages) that is what all but one benign score
    in a thousand on either side span, and as much again on both sides, where attacks may lead.
    """
    known = scores[~np.isnan(scores)]
    if not len(known) or (known.min() >= -SLACK and known.max() <= 1.0 + SLACK):
        return PROBABILITIES
    low, high = np.quantile(known, [ODD_SCORES, 1.0 - ODD_SCORES]).tolist()
    width = max(high - low, SLACK * max(abs(low), abs(high)), SLACK**2)
    return low - width, high + width
