"""What an input's fields hold: numbers or categories, how many gaps, how finely rounded."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import CATEGORY_CEILING, ColumnTable, Floats
from detector.events.model import Input
from detector.reference.grids import GRID_TOLERANCE, GRIDS

KIND_SHARE = 0.99
GRID_SHARE = 0.75
"""Share of a field's numbers that must keep to a step before it is called the field's grid.

The log may hold attackers, whose numbers keep to none, so it cannot be all of them."""
LARGEST_GRIDDED = 1e9

Counts = NDArray[np.int64]


class FieldKind(StrEnum):
    """What a field holds in at least 99 of 100 records that have it."""

    NUMBER = "number"
    CATEGORY = "category"
    MIXED = "mixed"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """One field.

    Attributes:
        name: Its name, or its position.
        kind: What it holds.
        missing: Share of rows in which it is null or absent.
        grid: Coarsest decimal step that 3 of 4 of its numbers other than 0 keep to, if any.
        off_grid: Share of those numbers that do not.
    """

    name: str
    kind: FieldKind
    missing: float
    grid: float | None
    off_grid: float


def share(part: float, whole: float) -> float:
    """Return a share to four digits, 0 of nothing."""
    return round(part / whole, 4) if whole else 0.0


class FieldCensus:
    """Counts by field: numbers, categories, and which numbers keep to which of `GRIDS`.

    Zeros keep to every grid and say nothing, so they are counted as numbers only.
    """

    def __init__(self) -> None:
        self._table = ColumnTable()
        self._numbers: Counts = np.zeros(0, dtype=np.int64)
        self._categories: Counts = np.zeros(0, dtype=np.int64)
        self._gridded: Counts = np.zeros((1 + len(GRIDS), 0), dtype=np.int64)

    def add(self, inputs: Sequence[Input | None]) -> None:
        """Take rows of features or fields."""
        cells = self._table.cells(inputs)
        more = cells.shape[1] - len(self._numbers)
        self._numbers = np.pad(self._numbers, (0, more))
        self._categories = np.pad(self._categories, (0, more))
        self._gridded = np.pad(self._gridded, ((0, 0), (0, more)))
        numbers = cells >= CATEGORY_CEILING
        self._numbers += numbers.sum(axis=0)
        self._categories += (cells < CATEGORY_CEILING).sum(axis=0)
        self._gridded += _on_grids(np.where(numbers & (cells != 0.0), cells, np.nan))

    def facts(self, rows: int) -> list[FieldFacts]:
        """Return the fields in the order of their first sight, of as many rows."""
        return [self._field(column, name, rows) for column, name in enumerate(self._table.names)]

    def _field(self, column: int, name: str, rows: int) -> FieldFacts:
        numbers, categories = int(self._numbers[column]), int(self._categories[column])
        judged, *kept = map(int, self._gridded[:, column])
        step = next((i for i, n in enumerate(kept) if n >= GRID_SHARE * judged > 0), None)
        return FieldFacts(
            name=name,
            kind=_kind(numbers, categories),
            missing=share(rows - numbers - categories, rows),
            grid=None if step is None else GRIDS[step],
            off_grid=0.0 if step is None else share(judged - kept[step], judged),
        )


def _kind(numbers: int, categories: int) -> FieldKind:
    present = numbers + categories
    if not present:
        return FieldKind.EMPTY
    if numbers >= KIND_SHARE * present:
        return FieldKind.NUMBER
    return FieldKind.CATEGORY if categories >= KIND_SHARE * present else FieldKind.MIXED


def _on_grids(numbers: Floats) -> Counts:
    """Return (1 + steps, d) counts of (n, d) numbers: all, and the multiples of each step."""
    small = np.abs(numbers) <= LARGEST_GRIDDED
    counts = [(~np.isnan(numbers)).sum(axis=0)]
    for step in GRIDS:
        multiples = numbers / step
        near = np.abs(multiples - np.round(multiples)) <= GRID_TOLERANCE
        counts.append((near & small).sum(axis=0))
    return np.array(counts)
