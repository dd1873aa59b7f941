"""The bounded, columnar memory of all clients of one model: one row of each array a client.

At 32 fields a client takes about 4 KiB; `bytes_per_client` says how much at any width.
"""

from enum import IntEnum, auto
from typing import Any

import numpy as np

from detector.events.batch import MAX_CLASSES
from detector.features.observation import PROBES

RECENT = 12
RESERVOIR = 6
MEMORY = RECENT + RESERVOIR
CELLS = 64
COLUMNS = 64
SWEEP_VALUES = 16


class Stat(IntEnum):
    """Columns of `ClientTable.stats` (float64)."""

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last: list[int]) -> int:
        return count

    QUERIES = auto()
    INPUTS = auto()
    FIRST_MS = auto()
    LAST_MS = auto()
    GAP_MEAN = auto()
    GAP_SQUARE = auto()
    SCORED = auto()
    MARGIN_SUM = auto()
    LOW_MARGINS = auto()
    MARGIN_RECENT = auto()
    FLIPS = auto()
    RECORDS = auto()
    STRANGE = auto()
    OFF_GRID = auto()
    NEAREST_COUNT = auto()
    NEAREST_SUM = auto()
    LAST_STEP = auto()
    LAST_ONE_FIELD = auto()
    LAST_ONE_STEP = auto()
    SWEEP_FIELD = auto()
    SWEEP_BASE = auto()
    SWEEP_KNOWN = auto()
    SWEEP_HERE = auto()
    SWEEP_BASES = auto()
    REVALUES = auto()
    RUN = auto()
    PENDING = auto()
    ANCHORS = auto()
    MEMORY_COUNT = auto()


STATS = len(Stat)


class ClientTable:
    """Arrays of `capacity` rows, for inputs of `width` folded columns."""

    def __init__(self, width: int, capacity: int = 64) -> None:
        self.width = width
        self.capacity = 0
        self.memory = np.zeros((0, MEMORY, width), dtype=np.float32)
        self.lines = np.zeros((0, MEMORY, 2))
        self.order = np.zeros((0, MEMORY), dtype=np.int32)
        self.memory_labels = np.zeros((0, MEMORY), dtype=np.int32)
        self.stats = np.zeros((0, STATS))
        self.probes = np.zeros((0, PROBES), dtype=np.uint32)
        self.changed = np.zeros((0, COLUMNS), dtype=np.uint16)
        self.cells = np.zeros((0, CELLS), dtype=np.uint16)
        self.labels = np.zeros((0, MAX_CLASSES), dtype=np.uint16)
        self.peaks = np.zeros((0, MAX_CLASSES), dtype=np.float32)
        self.starts = np.zeros((0, MAX_CLASSES), dtype=np.float32)
        self.records = np.zeros((0, MAX_CLASSES), dtype=np.uint16)
        self.sweep = np.zeros((0, 2, SWEEP_VALUES), dtype=np.float32)
        self.grow(capacity)

    _ARRAYS = (
        "memory", "lines", "order", "memory_labels", "stats", "probes", "changed", "cells",
        "labels", "peaks", "starts", "records", "sweep",
    )  # fmt: skip

    def grow(self, capacity: int) -> None:
        """Enlarge to `capacity` rows; new rows are blank."""
        for name in self._ARRAYS:
            old = getattr(self, name)
            new = np.zeros((capacity, *old.shape[1:]), dtype=old.dtype)
            new[: self.capacity] = old
            setattr(self, name, new)
        self.capacity = capacity

    def clear(self, row: int) -> None:
        """Blank one row, for a new client."""
        for name in self._ARRAYS:
            getattr(self, name)[row] = 0

    def arrays(self) -> tuple[Any, ...]:
        """Return the arrays in the order that the kernel takes them."""
        return tuple(getattr(self, name) for name in self._ARRAYS)

    @property
    def bytes_per_client(self) -> int:
        """Bytes of state held for each client."""
        return sum(getattr(self, name).itemsize * getattr(self, name)[:1].size
                   for name in self._ARRAYS)  # fmt: skip

    def widen_memory(self, width: int) -> None:
        """Take inputs of more columns; remembered queries lack the new ones."""
        added = width - self.width
        self.memory = np.pad(self.memory, ((0, 0), (0, 0), (0, added)), constant_values=np.nan)
        self.width = width

    def forget_memory(self, width: int) -> None:
        """Drop the remembered queries, not the statistics, and take inputs of another width."""
        self.width = width
        self.memory = np.zeros((self.capacity, MEMORY, width), dtype=np.float32)
        self.order[:] = 0
        self.stats[:, Stat.MEMORY_COUNT] = 0
