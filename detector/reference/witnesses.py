"""How many clients show what a reference does not know: their number is what a few cannot fake."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import CATEGORY_CEILING, Floats
from detector.reference.fields import Fields
from detector.reference.grids import off_grid

NUMBER_OF_TIMES = 2


@dataclass(frozen=True, slots=True)
class RecentRows:
    """Inputs of clients that may teach a refresh; n rows, d folded columns.

    Attributes:
        cells: (n, d) folded cells.
        owner: (n,) number of the client that sent the row.
        labels: (n,) label codes of the answers.
        columns: The d column names.
    """

    cells: Floats
    owner: NDArray[np.int64]
    labels: NDArray[np.int64]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Shares of clients, for d folded columns.

    Attributes:
        columns: The d names.
        gaps: (d,) share of clients with missing cells.
        off_grid: (d,) share of clients with numbers off the reference's natural grid.
        categories: For each column, share of clients by category code.
    """

    columns: tuple[str, ...]
    gaps: Floats
    off_grid: Floats
    categories: tuple[Mapping[float, float], ...]

    def shows(self, column: int, code: float) -> float:
        """Return the share of clients that sent this category."""
        return self.categories[column].get(code, 0.0)


def witnesses(recent: RecentRows, fields: Fields) -> Witnesses:
    """Count the clients; one counts from its `NUMBER_OF_TIMES`-th such row on."""
    owner, clients = recent.owner, len(np.unique(recent.owner))
    gaps, off, categories = [], [], []
    for j, column in enumerate(recent.cells.T):
        gaps.append(_share(owner[np.isnan(column)], clients))
        leaves = off_grid(column, float(fields.grid[j]), float(fields.origin[j]))
        off.append(_share(owner[leaves], clients))
        texts = column < CATEGORY_CEILING
        categories.append(
            {float(code): _share(owner[column == code], clients) for code in set(column[texts])}
        )
    return Witnesses(recent.columns, np.array(gaps), np.array(off), tuple(categories))


def _share(senders: NDArray[np.int64], clients: int) -> float:
    _, counts = np.unique(senders, return_counts=True)
    return float((counts >= NUMBER_OF_TIMES).sum() / clients)
