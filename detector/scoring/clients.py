"""Everything that is held for each client of one model: state, evidence, verdicts, and whose it is.

One row of every array a client. What changed since the last snapshot is marked, so that a snapshot
costs what the traffic touched and not what there is.
"""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from detector.events.names import Names
from detector.features.directory import NOBODY
from detector.features.rows import ESTABLISHED, NEWCOMER, SUSPECT, ClientRows, Held, Left, Tally
from detector.features.state import ClientTable, Stat, stretches
from detector.reference.volumes import Volumes, span_days
from detector.scoring.evidence import (
    BETTER,
    DUE,
    FIRED,
    LOG_E,
    LOOK,
    SAID,
    SUSPECTED,
    Judgement,
    Rows,
    blank_judgement,
)

FIRST_CAPACITY = 64
ESTABLISHED_QUERIES = 8
"""A client with so many queries is no passing name any more."""
IDLE_MS = 90 * 86_400_000
"""Silent for so long, a client leaves before more room is made; slow attackers ask more often."""


class SavedRows(msgspec.Struct, frozen=True, tag="rows"):
    """Some rows as they stood, to be kept over a restart.

    Attributes:
        tenant_id: The model's tenant.
        model_id: The model whose clients they are.
        width: Folded columns of the inputs that the rows remember.
        rows: Row numbers, int64.
        ids: The client of each, "" for a row that was vacated.
        seen: The ordinal of each client's latest event, int64.
        arrays: What `ClientTable.pack` returned.
    """

    tenant_id: str
    model_id: str
    width: int
    rows: bytes
    ids: list[str]
    seen: bytes
    arrays: list[bytes]


def volumes_of(stats: NDArray[np.float64]) -> Volumes:
    """Return how much clients with these (c, s) statistics asked."""
    days = span_days(stats[:, Stat.FIRST_MS], stats[:, Stat.LAST_MS])
    return Volumes(stats[:, Stat.PEAK_VOLUME].copy(), days)


class ClientStates:
    """The clients of one model, at most `limit`, judged by `signs` signs."""

    def __init__(self, signs: int, limit: int) -> None:
        self._limit = limit
        first = min(FIRST_CAPACITY, limit)
        self._judged = blank_judgement(signs)
        self.table = ClientTable(0, first, self._judged._asdict(), limit)
        self._dirty = np.ones(first, dtype=np.bool_)
        self._rows = self._make_rows(first)

    def _make_rows(self, capacity: int) -> ClientRows:
        return ClientRows(capacity, self._limit, self._grow, self._clear, self._rank, self._idle)

    def __len__(self) -> int:
        """Return how many clients are held."""
        return len(self._rows)

    @property
    def capacity(self) -> int:
        """Rows there are."""
        return self.table.capacity

    def suspected(self, clients: Names) -> NDArray[np.bool_]:
        """Return for each of the clients whether any sign of it was ever credible."""
        rows = self._rows.find(clients)
        return np.asarray((rows != NOBODY) & (self.table.verdicts[rows, FIRED] > 0))

    def volumes(self, clients: Names) -> Volumes:
        """Return how much those of the clients asked that are held."""
        rows = self._rows.find(clients)
        return volumes_of(self.table.stats[rows[rows != NOBODY]])

    def assign(self, clients: Names) -> NDArray[np.int64]:
        """Return rows for the first clients; as `ClientRows.assign`."""
        rows = self._rows.assign(clients)
        self._dirty[rows] = True
        return rows

    def departures(self) -> list[Left]:
        """Return how room was made since the last call."""
        return self._rows.departures()

    def reshape(self, width: int) -> None:
        """Forget what is told by column, class or region, for inputs of another meaning."""
        self.table.forget_memory(width)
        self._dirty[:] = True

    def widen(self, width: int) -> None:
        """Take inputs of more columns."""
        self.table.widen_memory(width)
        self._dirty[:] = True

    def forget_evidence(self) -> None:
        """Let the evidence of all begin anew, and their days; restarts stay paid for.

        Who was suspected still is, but nothing is said of them until a sign is credible again.
        """
        held = self.table.held()
        self.table.evidence[held, :, : LOG_E + 1] = 0.0
        self.table.days[held] = 0.0
        fired = self.table.verdicts[held, FIRED]
        self.table.verdicts[held, FIRED] = np.where(fired != 0, SUSPECTED, 0)
        for column in (LOOK, DUE, BETTER, SAID):
            self.table.verdicts[held, column] = 0
        self._dirty[:] = True

    def _grow(self, capacity: int) -> None:
        added = capacity - self.table.capacity
        self.table.grow(capacity)
        self._dirty = np.pad(self._dirty, (0, added), constant_values=True)

    def _clear(self, rows: NDArray[np.int64]) -> None:
        self.table.clear(rows)
        self._dirty[rows] = True

    def _rank(self) -> NDArray[np.int64]:
        queries = self.table.stats[:, Stat.QUERIES]
        rank = np.where(queries >= ESTABLISHED_QUERIES, ESTABLISHED, NEWCOMER)
        return np.where(self.table.verdicts[:, FIRED] > 0, SUSPECT, rank)

    def _idle(self) -> NDArray[np.bool_]:
        last = self.table.stats[:, Stat.LAST_MS]
        silent = last < last.max() - IDLE_MS
        return np.asarray(silent & (self.table.verdicts[:, FIRED] == 0), dtype=np.bool_)

    def judgement(self, row: int) -> Judgement:
        """Return what has been made of one client; what is written into it stands here."""
        arrays = self.table.block.arrays
        return Judgement._make(arrays[name][row] for name in Judgement._fields)

    def rows(self) -> Rows:
        """Return all rows as the kernel takes them."""
        block = self.table.block
        return Rows(block.rows, block.starts, self.table.blank, self._judged)

    def save(self, tenant_id: str, model_id: str, every: bool) -> Iterator[SavedRows]:
        """Return the rows that changed since `saved`, or every one, a stretch at a time."""
        wanted = np.arange(self.capacity) if every else np.flatnonzero(self._dirty)
        if not len(wanted):
            return
        held = self._rows.held()
        for rows in stretches(wanted):
            yield SavedRows(
                tenant_id, model_id, self.table.width, rows.tobytes(),
                [held.ids[row] for row in rows], held.seen[rows].tobytes(),
                self.table.pack(rows),
            )  # fmt: skip

    def saved(self) -> None:
        """Note that everything so far is kept."""
        self._dirty[:] = False

    @property
    def tally(self) -> Tally:
        """Counts over the life of the rows."""
        return self._rows.tally

    def restore(self, capacity: int, width: int, tally: Tally, parts: Sequence[SavedRows]) -> None:
        """Take back what `save` returned since the rows were last saved whole, in that order.

        Raises `ValueError` where the parts do not fit; this object is of no use then.
        """
        if self.capacity > capacity or capacity > max(self._limit, self.capacity):
            raise ValueError(f"{capacity} rows do not fit a limit of {self._limit} clients")
        # While there are few rows it costs nothing.
        self.table.forget_memory(width)
        self._grow(capacity)
        ids = [""] * capacity
        seen = np.zeros(capacity, dtype=np.int64)
        # A change of width touches every row, so that parts of an older width are all replaced.
        for part in parts:
            if part.width == width:
                self._unpack(part, ids, seen)
        self._rows = self._make_rows(capacity)
        self._rows.restore(Held(ids, seen, tally))
        self.saved()

    def _unpack(self, part: SavedRows, ids: list[str], seen: NDArray[np.int64]) -> None:
        rows = np.frombuffer(part.rows, dtype=np.int64)
        if not len(rows) == len(part.ids) or rows.min() < 0 or rows.max() >= len(ids):
            raise ValueError("rows outside the table")
        self.table.unpack(rows, part.arrays)
        seen[rows] = np.frombuffer(part.seen, dtype=np.int64)
        for row, name in zip(rows.tolist(), part.ids, strict=True):
            ids[row] = name
