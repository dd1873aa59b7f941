"""Decoded events as columns: one `EventBatch` a model, numpy arrays from here on.

A cell of the input matrix holds a number, a category or nothing, in one float64: NaN is missing,
a category is a code below `CATEGORY_CEILING`, everything else is the number itself. Codes are exact
in float32 too, so that the two widths agree about equality. An embedding becomes its direction, a
vector of length 1, so that Euclidean distance says what the cosine says: sqrt(2 - 2 cos).
"""

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from detector.events.located import LocatedEvent
from detector.events.model import Cell, Input, ModelKey
from detector.events.names import Names

CATEGORY_CEILING = -5e29
NUMBER_LIMIT = 1e29
MAX_CLASSES = 32
MAX_FIELDS = 4096
NO_LABEL = -1

Floats = NDArray[np.float64]


@lru_cache(maxsize=65_536)
def category_code(text: str) -> float:
    """Return the cell that stands for a category; equal texts give equal cells."""
    return float(np.float32(-1e30 * (1.0 + (crc32(text.encode()) & 0x7FFFFF) / 0x800000)))


@lru_cache(maxsize=65_536)
def label_code(label: str | int) -> int:
    """Return a non-negative 31-bit code for a class label."""
    if isinstance(label, int):
        return label & 0x7FFFFFFF
    return crc32(label.encode()) & 0x7FFFFFFF


def cell(value: Cell) -> float:
    """Return one input value as a cell; booleans count as 0 and 1."""
    if value is None:
        return float("nan")
    if isinstance(value, str):
        return category_code(value)
    return min(max(float(value), -NUMBER_LIMIT), NUMBER_LIMIT)


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events of one model, in the order of the log; n rows, d input fields, c classes.

    Attributes:
        model: The model that answered all of them.
        located: The decoded events, for the few that become evidence.
        clients: (n,) who asked.
        offsets: (n,) where each stands in its partition of the log.
        cells: (n, d) input cells as described in the module's docstring.
        names: The d field names.
        has_input: (n,) whether the event carried an input of which any field has a column.
        labels: (n,) label codes, `NO_LABEL` where the output has none.
        scores: (n, c) class scores, NaN where absent; c is at most `MAX_CLASSES`, and where
            several classes share a column the best of theirs.
        margins: (n,) best minus second-best score of all classes, NaN without scores.
        time_ms: (n,) event times, UTC milliseconds.
    """

    model: ModelKey
    located: Sequence[LocatedEvent]
    clients: Names
    offsets: NDArray[np.int64]
    cells: Floats
    names: tuple[str, ...]
    has_input: NDArray[np.bool_]
    labels: NDArray[np.int64]
    scores: Floats
    margins: Floats
    time_ms: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.located)


class ColumnTable:
    """Column numbers of one model's input fields and classes, given on first sight and kept.

    Fields get columns up to `max_fields`, and classes up to `max_classes`. With `by_position` a row
    of as many values as there are fields, without names, has them in the order of the columns.
    """

    def __init__(
        self, fields: Iterable[str] = (), max_fields: int = MAX_FIELDS,
        classes: Iterable[int] = (), max_classes: int = MAX_CLASSES, by_position: bool = False,
    ) -> None:  # fmt: skip
        self._fields = {name: i for i, name in enumerate(fields)}
        self._classes = {code: i for i, code in enumerate(classes)}
        self._max_fields, self._max_classes = max_fields, max_classes
        self.by_position = by_position

    @property
    def names(self) -> tuple[str, ...]:
        """Field names in column order."""
        return tuple(self._fields)

    @property
    def classes(self) -> tuple[int, ...]:
        """Label codes of the classes in column order."""
        return tuple(self._classes)

    @property
    def is_full(self) -> bool:
        """Whether no further field gets a column."""
        return len(self._fields) >= self._max_fields

    def lacks(self, item: Input | None) -> list[str]:
        """Return the names of the input's fields that have no column."""
        return [name for name in names_of(item) if name not in self._fields]

    def add(self, names: Iterable[str]) -> None:
        """Give further fields a column, whatever the limit is."""
        for name in names:
            self._fields.setdefault(name, len(self._fields))

    def knows_any(self, item: Input | None) -> bool:
        """Return whether any of the input's fields has a column."""
        if item is not None and item.features and not item.fields:
            return max(self.positions(len(item.features))) >= 0
        return not self._fields.keys().isdisjoint(names_of(item))

    def columns(self, names: Collection[str]) -> list[int]:
        """Return the column of each name, -1 where the table is full."""
        table = self._fields
        for name in names:
            if name not in table and len(table) < self._max_fields:
                table[name] = len(table)
        return [table.get(name, -1) for name in names]

    def positions(self, width: int) -> list[int]:
        """Return the columns of a row of that many values by position."""
        if self.by_position and width == len(self._fields):
            return list(range(width))
        return self.columns([str(i) for i in range(width)])

    def class_column(self, code: int) -> int:
        """Return the score column of a class known by label.

        Where the table is full, further classes share the columns by their codes alone, so that it
        does not matter which of them came first.
        """
        if code not in self._classes and len(self._classes) < self._max_classes:
            self._classes[code] = len(self._classes)
        return self._classes.get(code, code % MAX_CLASSES)

    def class_columns(self, codes: Sequence[int]) -> list[int] | None:
        """Return the score columns of classes as `class_column`; None when one would be new."""
        full = len(self._classes) >= self._max_classes
        if not full and not self._classes.keys() >= set(codes):
            return None
        return [self.class_column(code) for code in codes]

    def cells(self, inputs: Sequence[Input | None]) -> Floats:
        """Return the (n, d) matrix of cells, registering names not seen before."""
        shapes = set(map(_shape, inputs))
        shape = shapes.pop() if len(shapes) == 1 else None
        if shape is None:
            return self._one_by_one(inputs)
        embedded, named = shape
        columns = self._placed(embedded, named)
        block = _block([_values(item) for item in inputs])
        return self.arrange(_directions(block) if embedded else block, columns)

    def arrange(self, block: Floats, columns: Sequence[int]) -> Floats:
        """Return (n, k) cells whose k columns are given as (n, d), the block itself if that is it.

        A column of -1 is left out.
        """
        if columns == list(range(len(self._fields))):
            return block
        matrix = np.full((len(block), len(self._fields)), np.nan)
        kept = [i for i, column in enumerate(columns) if column >= 0]
        matrix[:, [columns[i] for i in kept]] = block[:, kept]
        return matrix

    def _placed(self, embedded: bool, named: tuple[str, ...] | int) -> list[int]:
        """Return the columns of an input of that `_shape`."""
        if isinstance(named, tuple):
            return self.columns(named)
        return self.columns([*map(str, range(named))]) if embedded else self.positions(named)

    def _one_by_one(self, inputs: Sequence[Input | None]) -> Floats:
        placed = [self._row(item) for item in inputs]
        matrix = np.full((len(inputs), len(self._fields)), np.nan)
        for i, (columns, values) in enumerate(placed):
            for column, value in zip(columns, values, strict=True):
                if column >= 0:
                    matrix[i, column] = cell(value)
        return matrix

    def _row(self, item: Input | None) -> tuple[list[int], list[Cell]]:
        """Return an input's columns and their values."""
        row = _named(item)
        shape = _shape(item)
        return self._placed(*shape) if shape else self.columns(row), list(row.values())


def _shape(item: Input | None) -> tuple[bool, tuple[str, ...] | int] | None:
    """Return what inputs have in common that fill the same columns in the same way.

    That is whether they are embeddings, and their names or a list's length.
    """
    if item is None:
        return None
    if item.fields:
        return False, tuple(item.fields)
    if item.features:
        return False, len(item.features)
    return (True, len(item.embedding)) if item.embedding else None


def _values(item: Input | None) -> Sequence[Cell]:
    if item is None:
        return ()
    if item.fields:
        return list(item.fields.values())
    return item.features or item.embedding or ()


def _block(rows: Sequence[Sequence[Cell]]) -> Floats:
    """Return the cells of rows of one length: at once when all are numbers, else by the column."""
    numbers = _numbers(rows)
    if numbers is not None:
        return numbers.reshape(len(rows), -1)
    columns = [list(column) for column in zip(*rows, strict=True)]
    block = np.empty((len(rows), len(columns)))
    for i, column in enumerate(columns):
        numbers = _numbers([column])
        block[:, i] = list(map(cell, column)) if numbers is None else numbers
    return block


def _numbers(rows: Sequence[Any]) -> Floats | None:
    """Return all values in one row, clipped; None when any is not a number.

    numpy would take texts for numbers, or make every value as wide as the longest text.
    """
    if all(row.__class__ is array for row in rows):
        values = np.frombuffer(b"".join(rows), dtype=np.float32).astype(np.float64)
    else:
        flat = array("d")
        try:
            for row in rows:
                flat.fromlist(row if row.__class__ is list else list(row))
        except (TypeError, OverflowError):
            return None
        values = np.frombuffer(flat)
    return np.clip(values, -NUMBER_LIMIT, NUMBER_LIMIT)


def _directions(block: Floats) -> Floats:
    """Return rows scaled to length 1, each by itself; rows of zeros stay so."""
    # The largest entry goes first: the squares of the largest and least doubles are none.
    peaks = np.abs(block).max(axis=1, keepdims=True)
    rows = block / np.where(peaks > 0.0, peaks, 1.0)
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    return rows / np.where(lengths > 0.0, lengths, 1.0)


def names_of(item: Input | None) -> Collection[str]:
    """Return the names of an input's fields in its order; those without go by their number."""
    if item is None:
        return ()
    if item.fields is not None:
        return item.fields.keys()
    row = item.features or item.embedding or item.fingerprint or ()
    return [str(i) for i in range(1 if isinstance(row, str) else len(row))]


def _named(item: Input | None) -> Mapping[str, Cell]:
    """Return any form of input as name to value."""
    if item is None:
        return {}
    if item.fields is not None:
        return item.fields
    row: Sequence[Cell] = item.features or ()
    if item.embedding:
        row = _directions(_block([list(item.embedding)]))[0].tolist()
    if item.fingerprint is not None:
        # The letter keeps a hexadecimal fingerprint from ever being taken for a number.
        prints = [item.fingerprint] if isinstance(item.fingerprint, str) else item.fingerprint
        row = [f"#{text}" for text in prints]
    return {str(i): value for i, value in enumerate(row)}
