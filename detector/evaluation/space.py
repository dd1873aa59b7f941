"""The attacker's view of the input: a unit cube that always decodes to valid requests.

An attacker knows field names, ranges and categories (the API's documentation says them). Numbers
are scaled to [0, 1]; a category is a block of coordinates whose largest one wins.
"""

import numpy as np
from numpy.typing import NDArray

from detector.evaluation.datasets import Coded, Dataset, Field, FieldKind

FINE_STEPS = 10


def _moves_by_little(field: Field, *, strict: bool) -> bool:
    """Whether a small change of a number reaches the model: not where the API rounds it away."""
    span = field.high - field.low
    if strict and field.kind is FieldKind.INTEGER:
        return span >= FINE_STEPS
    return not field.is_categorical and span > 0


class Space:
    """Maps between coded rows (n, d) and points (n, D) of the unit cube.

    `numeric` are the coordinates that a perturbation can move: numbers, but neither constant ones
    nor, where the API is strict, integers of fewer than `FINE_STEPS` steps.
    """

    def __init__(self, dataset: Dataset, *, strict: bool = False) -> None:
        fields = dataset.fields
        self._low = np.array([field.low for field in fields])
        self._range = np.array([max(field.high - field.low, 1e-12) for field in fields])
        self._blocks: list[tuple[int, slice]] = []
        numeric_columns, at = [], 0
        for j, field in enumerate(fields):
            width = max(len(field.categories), 1)
            if field.is_categorical:
                self._blocks.append((j, slice(at, at + width)))
            else:
                numeric_columns.append((j, at))
            at += width
        self.size = at
        self._columns = np.array([j for j, _ in numeric_columns], dtype=np.intp)
        self._coordinates = np.array([c for _, c in numeric_columns], dtype=np.intp)
        movable = [c for j, c in numeric_columns if _moves_by_little(fields[j], strict=strict)]
        self.numeric: NDArray[np.intp] = np.array(movable, dtype=np.intp)

    def decode(self, points: Coded) -> Coded:
        """Return coded rows; numbers outside the cube are clipped to the range."""
        points = np.atleast_2d(points)
        rows = np.empty((len(points), len(self._low)))
        unit = np.clip(points[:, self._coordinates], 0.0, 1.0)
        rows[:, self._columns] = self._low[self._columns] + unit * self._range[self._columns]
        for j, block in self._blocks:
            rows[:, j] = points[:, block].argmax(axis=1)
        return rows

    def encode(self, rows: Coded) -> Coded:
        """Return points; a missing number becomes the middle, a missing category the first."""
        rows = np.atleast_2d(rows)
        points = np.zeros((len(rows), self.size))
        unit = (rows[:, self._columns] - self._low[self._columns]) / self._range[self._columns]
        points[:, self._coordinates] = np.where(np.isnan(unit), 0.5, unit)
        for j, block in self._blocks:
            codes = np.where(np.isnan(rows[:, j]), 0, rows[:, j]).astype(np.intp)
            points[np.arange(len(rows)), block.start + codes] = 1.0
        return points
