"""The bounded memory of all clients of one model: one row a client.

At up to 32 fields a client takes less than 4 KiB, evidence included: narrow inputs leave room for
more remembered queries (`memory_slots`). `bytes_per_client` says how much at any width.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum, auto
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import MAX_CLASSES
from detector.features.block import Block
from detector.features.observation import PROBES

MEMORY_BYTES = 2598
FEWEST_SLOTS, MOST_SLOTS = 14, 36
CELLS = 64
COLUMNS = 64
SWEEP_VALUES = 15
LABELS = 32
STRETCH_ROWS = 1024


class _Columns(IntEnum):
    """Column numbers, counted from 0."""

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last: list[int]) -> int:
        return count


class Stat(_Columns):
    """Columns of `ClientTable.stats` (float64): the client's whole life."""

    QUERIES = auto()
    INPUTS = auto()
    FIRST_MS = auto()
    LAST_MS = auto()
    GAP_MEAN = auto()
    GAP_SQUARE = auto()
    SCORED = auto()
    MARGIN_SUM = auto()
    LOW_MARGINS = auto()
    FLIPS = auto()
    RECORDS = auto()
    STRANGE = auto()
    BROKEN = auto()
    OFF_GRID = auto()
    SCATTERED = auto()
    NEAREST_COUNT = auto()
    NEAREST_SUM = auto()
    LAST_STEP = auto()
    LAST_ONE_FIELD = auto()
    LAST_ONE_STEP = auto()
    LAST_ONE_PART = auto()
    SWEEP_FIELD = auto()
    SWEEP_BASE = auto()
    SWEEP_KNOWN = auto()
    SWEEP_HERE = auto()
    SWEEP_BASES = auto()
    SWEPT_FIELD = auto()
    SWEPT_VALUES = auto()
    SWEPT_RECORDS = auto()
    REVALUES = auto()
    UNTRIED = auto()
    TURN_GAIN = auto()
    RUN = auto()
    VOLUME = auto()
    PEAK_VOLUME = auto()
    LAST_ROOT = auto()
    LAST_LOCAL_LABEL = auto()
    LAST_LONE_LABEL = auto()
    STAY = auto()
    HOMES = auto()
    ASKED = auto()
    VISIT = auto()
    VISITS = auto()
    UNNATURAL = auto()
    MEMORY_COUNT = auto()


class Trace(_Columns):
    """Columns of `ClientTable.trace` (float32): the conspicuous queries, older ones fading.

    Only conspicuous queries fade older ones, so that neither ordinary queries between them nor an
    ordinary life before them change the picture. `SUM` counts them all; `LOCAL` those near a
    remembered query; the others are described where they are counted (`trace.py`).
    """

    SUM = auto()
    LOCAL = auto()
    STEP = auto()
    LINE = auto()
    MIRROR = auto()
    ONE_FIELD = auto()
    SEARCH = auto()
    FLIP = auto()
    SCATTERED = auto()
    LONE = auto()
    ROUTINE = auto()
    SWITCH = auto()
    NATURAL_ROOT = auto()
    SAME_LABEL = auto()
    HOP = auto()
    LONE_SAME = auto()
    SPREAD = auto()
    HOME = auto()
    NEW_HOME = auto()
    BEYOND = auto()
    SPANNED = auto()


STATS = len(Stat)
TRACES = len(Trace)
# Marks of a remembered query, one bit each.
KEPT, NATURAL_ROOT, RECORD, AT_HOME = 1, 2, 4, 8


def memory_slots(width: int) -> int:
    """Return how many queries of `width` columns are remembered; half of them the newest."""
    slot = 4 * width + 21
    return max(FEWEST_SLOTS, min(MOST_SLOTS, MEMORY_BYTES // slot))


class ClientRow(NamedTuple):
    """One client's row: what the kernels read and write.

    Attributes:
        memory: (slots, width) float32, remembered queries, scaled.
        lines: (slots, 2) float32, of each the line that it lies on.
        order: (slots,) int32, which query of the client it was, from 1; 0 for a free slot.
        memory_labels: (slots,) int32, its label.
        roots: (slots,) int32, the query that its group began with.
        marks: (slots,) uint8, what is known of it, as bits.
        stats: (`STATS`,) float64, the whole life.
        trace: (`TRACES`,) float32, the conspicuous queries.
        probes: (`PROBES`,) uint32, how many queries were seen as which.
        changed: (`COLUMNS`,) uint8, fading counts of the fields that were changed alone.
        cells: (`CELLS`,) uint8, of the regions of the input space.
        labels: (`LABELS`,) uint8, of the answers.
        peaks: (`MAX_CLASSES`,) uint16, the highest score of each class.
        starts: (`MAX_CLASSES`,) uint16, the first one.
        records: (`MAX_CLASSES`,) uint8, how often it climbed.
        sweep: (2, `SWEEP_VALUES`) float32, the values tried of a field.
        turns: (2,) int64, the fields that were taken in turn, as bits.
    """

    memory: NDArray[np.float32]
    lines: NDArray[np.float32]
    order: NDArray[np.int32]
    memory_labels: NDArray[np.int32]
    roots: NDArray[np.int32]
    marks: NDArray[np.uint8]
    stats: NDArray[np.float64]
    trace: NDArray[np.float32]
    probes: NDArray[np.uint32]
    changed: NDArray[np.uint8]
    cells: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    peaks: NDArray[np.uint16]
    starts: NDArray[np.uint16]
    records: NDArray[np.uint8]
    sweep: NDArray[np.float32]
    turns: NDArray[np.int64]


REMEMBERED = ("memory", "lines", "order", "memory_labels", "roots", "marks")
# What is told by the number of a column, a class or a region, or rests on remembered queries.
NUMBERED = ("changed", "cells", "peaks", "starts", "records", "sweep", "turns")
NUMBERED_STATS = (
    Stat.MEMORY_COUNT, Stat.LAST_STEP, Stat.LAST_ONE_FIELD, Stat.LAST_ONE_STEP, Stat.LAST_ONE_PART,
    Stat.SWEEP_FIELD, Stat.SWEEP_BASE, Stat.SWEEP_KNOWN, Stat.SWEEP_HERE, Stat.SWEEP_BASES,
    Stat.SWEPT_FIELD, Stat.SWEPT_VALUES, Stat.SWEPT_RECORDS, Stat.UNTRIED, Stat.UNNATURAL,
    Stat.LAST_ROOT, Stat.RUN, Stat.STAY, Stat.VISIT,
)  # fmt: skip


def blank_row(width: int) -> ClientRow:
    """Return the row of a client that never asked anything."""
    slots = memory_slots(width)
    return ClientRow(
        np.zeros((slots, width), dtype=np.float32),
        np.zeros((slots, 2), dtype=np.float32),
        np.zeros(slots, dtype=np.int32),
        np.zeros(slots, dtype=np.int32),
        np.zeros(slots, dtype=np.int32),
        np.zeros(slots, dtype=np.uint8),
        np.zeros(STATS),
        np.zeros(TRACES, dtype=np.float32),
        np.zeros(PROBES, dtype=np.uint32),
        np.zeros(COLUMNS, dtype=np.uint8),
        np.zeros(CELLS, dtype=np.uint8),
        np.zeros(LABELS, dtype=np.uint8),
        np.zeros(MAX_CLASSES, dtype=np.uint16),
        np.zeros(MAX_CLASSES, dtype=np.uint16),
        np.zeros(MAX_CLASSES, dtype=np.uint8),
        np.zeros((2, SWEEP_VALUES), dtype=np.float32),
        np.zeros(2, dtype=np.int64),
    )


class ClientTable:
    """Rows of `capacity` clients, for inputs of `width` folded columns.

    Each row ends with `further` fields, given by an example, that belong to who holds the table.
    The fields are attributes, with one row a client; they look into the rows, and are others after
    every change of size. `blank` is the row of a client that never asked anything. There are
    `most` rows at the most, as far as that is known.
    """

    def __init__(
        self,
        width: int,
        capacity: int = 64,
        further: Mapping[str, NDArray[Any]] | None = None,
        most: int | None = None,
    ) -> None:
        self.width = width
        self._further, self._most = dict(further or {}), most
        self._lay_out(capacity)

    def _lay_out(self, capacity: int) -> None:
        self.blank = blank_row(self.width)
        self.block = Block(self.blank._asdict() | self._further, capacity, self._most)

    @property
    def capacity(self) -> int:
        """How many rows there are."""
        return len(self.block.rows)

    def __getattr__(self, name: str) -> NDArray[Any]:
        """Return a field of all rows, (capacity, ...)."""
        try:
            return self.__dict__["block"].arrays[name]
        except KeyError:
            raise AttributeError(name) from None

    def grow(self, capacity: int) -> None:
        """Enlarge to `capacity` rows; new rows are blank."""
        self.block.grow(capacity)

    def clear(self, rows: NDArray[np.int64]) -> None:
        """Blank some rows, for new clients."""
        self.block.rows[rows] = 0

    def pack(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Return what the (n,) rows hold, field by field, for `unpack`."""
        return [array[rows].tobytes() for array in self.block.arrays.values()]

    def unpack(self, rows: NDArray[np.int64], packed: Sequence[bytes]) -> None:
        """Put back what `pack` returned; raises `ValueError` where it does not fit."""
        for array, body in zip(self.block.arrays.values(), packed, strict=True):
            array[rows] = np.frombuffer(body, array.dtype).reshape(len(rows), *array.shape[1:])

    @classmethod
    def layout(cls) -> str:
        """Return what a row looks like: another version with the same text can read it."""
        fields = blank_row(1)._asdict()
        # As tables of one row.
        return " ".join(f"{n}:{a.dtype.str}{(1, *a.shape)}" for n, a in fields.items())

    def row(self, row: int) -> ClientRow:
        """Return one client's row, for the kernels; what they write stands in the table."""
        return ClientRow._make(self.block.arrays[name][row] for name in ClientRow._fields)

    @property
    def bytes_per_client(self) -> int:
        """Bytes of state held for each client."""
        return self.block.rows.shape[1]

    def widen_memory(self, width: int) -> None:
        """Take inputs of more columns; remembered queries lack the new ones.

        Where fewer of the wider queries fit, they are forgotten instead.
        """
        if memory_slots(width) != memory_slots(self.width):
            self.forget_memory(width)
            return
        held, narrower, former = self.held(), self.width, self.memory
        self._move(held, width, ("memory",))
        for rows in stretches(held):
            self.memory[rows] = np.nan
            self.memory[rows, :, :narrower] = former[rows]

    def forget_memory(self, width: int) -> None:
        """Drop what rests on the meaning of columns, and take inputs of another width or meaning.

        Statistics of the whole life stay.
        """
        held = self.held()
        if width == self.width:
            for name in REMEMBERED:
                self.block.arrays[name][held] = 0
        else:
            self._move(held, width, REMEMBERED)
        for name in NUMBERED:
            self.block.arrays[name][held] = 0
        for stat in NUMBERED_STATS:
            self.stats[held, stat] = 0

    def held(self) -> NDArray[np.int64]:
        """Return the rows of clients that asked something; the others are blank.

        What is done to these alone takes no memory for rows that nobody has yet.
        """
        return np.flatnonzero(self.stats[:, Stat.QUERIES])

    def _move(self, held: NDArray[np.int64], width: int, but: Sequence[str]) -> None:
        """Lay out rows for another width and take over all fields but some."""
        self.width, former = width, self.block
        self._lay_out(len(former.rows))
        kept = former.arrays.keys() - set(but)
        for rows in stretches(held):
            for name in kept:
                self.block.arrays[name][rows] = former.arrays[name][rows]


def stretches(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield some rows at a time, so that little is held twice."""
    for begin in range(0, len(rows), STRETCH_ROWS):
        yield rows[begin : begin + STRETCH_ROWS]
