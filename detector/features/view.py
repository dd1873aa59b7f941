"""One client's row of the table, read by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detector.features.catalogue import NAMES
from detector.features.observation import Probe
from detector.features.reading import read_row
from detector.features.state import ClientTable, Stat


@dataclass(frozen=True)
class RowView:
    """One client's row of the table as it stands, with the number of cells of its model.

    What is asked again and again is read once: a later state of the row wants another view.
    """

    table: ClientTable
    row: int
    cells: int = 0

    @cached_property
    def _stats(self) -> list[float]:
        return self.table.stats[self.row].tolist()

    @cached_property
    def traces(self) -> list[float]:
        """The trace of conspicuous queries, by `Trace`."""
        return self.table.trace[self.row].tolist()

    @cached_property
    def _probes(self) -> list[int]:
        return self.table.probes[self.row].tolist()

    def stat(self, stat: Stat) -> float:
        """Return one column of the statistics."""
        return self._stats[stat]

    def count(self, probes: frozenset[Probe]) -> int:
        """Return how many of the client's inputs were seen as one of these probes."""
        return sum(self._probes[probe] for probe in probes)

    def share(self, probes: frozenset[Probe]) -> float:
        """Return the share of the client's inputs seen as one of these probes."""
        total = sum(self._probes)
        return self.count(probes) / total if total else 0.0

    def top_class(self) -> int:
        """Return the score column that climbed most often."""
        return int(np.argmax(self.table.records[self.row]))

    def features(self) -> Mapping[str, float]:
        """Return every feature that the log allows, by name."""
        return by_name(self._read().tolist())

    def vector(self) -> NDArray[np.float64]:
        """Return all features in catalogue order, 0 where the log does not allow one."""
        return without_gaps(self._read())

    def _read(self) -> NDArray[np.float64]:
        values = np.empty(len(NAMES))
        read_row(self.table.row(self.row), self.cells, values)
        return values


def by_name(values: list[float]) -> dict[str, float]:
    """Return features in catalogue order by name, without those that the log does not allow."""
    return {name: v for name, v in zip(NAMES, values, strict=True) if v == v}


def without_gaps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return features with 0 where the log does not allow one."""
    return np.where(np.isnan(values), 0.0, values)
