"""The bounded, columnar memory of all clients of one model: one row of each array a client.

At up to 32 fields a client takes less than 4 KiB, evidence included: narrow inputs leave room for
more remembered queries (`memory_slots`). `bytes_per_client` says how much at any width.
"""

from collections.abc import Sequence
from enum import IntEnum, auto
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import MAX_CLASSES
from detector.features.observation import PROBES

MEMORY_BYTES = 2600
FEWEST_SLOTS, MOST_SLOTS = 14, 36
CELLS = 64
COLUMNS = 64
SWEEP_VALUES = 16
LABELS = 32


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


class ClientTable:
    """Arrays of `capacity` rows, for inputs of `width` folded columns."""

    def __init__(self, width: int, capacity: int = 64) -> None:
        self.width = width
        self.capacity = 0
        self._blank_memory()
        self.stats = np.zeros((0, STATS))
        self.trace = np.zeros((0, TRACES), dtype=np.float32)
        self.probes = np.zeros((0, PROBES), dtype=np.uint32)
        self.changed = np.zeros((0, COLUMNS), dtype=np.uint8)
        self.cells = np.zeros((0, CELLS), dtype=np.uint8)
        self.labels = np.zeros((0, LABELS), dtype=np.uint8)
        self.peaks = np.zeros((0, MAX_CLASSES), dtype=np.uint16)
        self.starts = np.zeros((0, MAX_CLASSES), dtype=np.uint16)
        self.records = np.zeros((0, MAX_CLASSES), dtype=np.uint8)
        self.sweep = np.zeros((0, 2, SWEEP_VALUES), dtype=np.float32)
        self.turns = np.zeros((0, 2), dtype=np.int64)
        self.grow(capacity)

    _MEMORY = ("memory", "lines", "order", "memory_labels", "roots", "marks")
    _ARRAYS = (
        *_MEMORY, "stats", "trace", "probes", "changed", "cells", "labels", "peaks", "starts",
        "records", "sweep", "turns",
    )  # fmt: skip

    def _blank_memory(self) -> None:
        slots = memory_slots(self.width)
        self.memory = np.zeros((self.capacity, slots, self.width), dtype=np.float32)
        self.lines = np.zeros((self.capacity, slots, 2), dtype=np.float32)
        self.order = np.zeros((self.capacity, slots), dtype=np.int32)
        self.memory_labels = np.zeros((self.capacity, slots), dtype=np.int32)
        self.roots = np.zeros((self.capacity, slots), dtype=np.int32)
        self.marks = np.zeros((self.capacity, slots), dtype=np.uint8)

    def grow(self, capacity: int) -> None:
        """Enlarge to `capacity` rows; new rows are blank."""
        for name in self._ARRAYS:
            old = getattr(self, name)
            new = np.zeros((capacity, *old.shape[1:]), dtype=old.dtype)
            new[: self.capacity] = old
            setattr(self, name, new)
        self.capacity = capacity

    def clear(self, rows: NDArray[np.int64]) -> None:
        """Blank some rows, for new clients."""
        for name in self._ARRAYS:
            getattr(self, name)[rows] = 0

    def pack(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Return what the (n,) rows hold, array by array, for `unpack`."""
        return [getattr(self, name)[rows].tobytes() for name in self._ARRAYS]

    def unpack(self, rows: NDArray[np.int64], packed: Sequence[bytes]) -> None:
        """Put back what `pack` returned; raises `ValueError` where it does not fit."""
        for name, body in zip(self._ARRAYS, packed, strict=True):
            array = getattr(self, name)
            array[rows] = np.frombuffer(body, array.dtype).reshape(len(rows), *array.shape[1:])

    @classmethod
    def layout(cls) -> str:
        """Return what a row looks like: another version with the same text can read it."""
        table = cls(1, 1)
        shapes = {name: getattr(table, name) for name in cls._ARRAYS}
        return " ".join(f"{name}:{array.dtype.str}{array.shape}" for name, array in shapes.items())

    def arrays(self) -> tuple[Any, ...]:
        """Return the arrays in the order that the kernel takes them."""
        return tuple(getattr(self, name) for name in self._ARRAYS)

    @property
    def bytes_per_client(self) -> int:
        """Bytes of state held for each client."""
        return sum(getattr(self, name).itemsize * getattr(self, name)[:1].size
                   for name in self._ARRAYS)  # fmt: skip

    def widen_memory(self, width: int) -> None:
        """Take inputs of more columns; remembered queries lack the new ones.

        Where fewer of the wider queries fit, they are forgotten instead.
        """
        if memory_slots(width) != memory_slots(self.width):
            self.forget_memory(width)
            return
        added = width - self.width
        self.memory = np.pad(self.memory, ((0, 0), (0, 0), (0, added)), constant_values=np.nan)
        self.width = width

    def forget_memory(self, width: int) -> None:
        """Drop the remembered queries, not the statistics, and take inputs of another width."""
        self.width = width
        self._blank_memory()
        self.stats[:, Stat.MEMORY_COUNT] = 0
