"""Which row of the table belongs to which client, and who leaves when there are too many."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

EVICTED_SHARE = 16


class ClientRows:
    """Gives rows to client ids, at most `limit`; the longest unseen leave first.

    Only a batch of more clients than that makes room for all of its own.

    `grow` is called with a new capacity, `clear` with each row that is to be blanked for a
    newcomer, and `keep` returns the rows (capacity,) that should not leave while others can.
    """

    def __init__(
        self,
        capacity: int,
        limit: int,
        grow: Callable[[int], None],
        clear: Callable[[int], None],
        keep: Callable[[], NDArray[np.bool_]],
    ) -> None:
        self._capacity = capacity
        self._limit = limit
        self._grow = grow
        self._clear = clear
        self._keep = keep
        self._rows: dict[str, int] = {}
        self._free = list(range(capacity))[::-1]
        self._seen = np.zeros(capacity, dtype=np.int64)
        self._turn = 0

    def __len__(self) -> int:
        """Return how many clients hold a row."""
        return len(self._rows)

    def get(self, client_id: str) -> int | None:
        """Return the client's row without giving one."""
        return self._rows.get(client_id)

    def assign(self, client_ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of one batch's clients; none of them leaves during the batch."""
        self._turn += 1
        return np.array([self._row(client_id) for client_id in client_ids], dtype=np.int64)

    def _row(self, client_id: str) -> int:
        row = self._rows.get(client_id)
        if row is None:
            if not self._free:
                self._make_room()
            row = self._free.pop()
            self._clear(row)
            self._rows[client_id] = row
        self._seen[row] = self._turn
        return row

    def _make_room(self) -> None:
        idle = self._seen < self._turn
        if self._capacity < self._limit or not idle.any():
            larger = 2 * self._capacity
            if self._capacity < self._limit:
                larger = min(larger, self._limit)
            self._grow(larger)
            self._free = list(range(self._capacity, larger))[::-1]
            self._seen = np.concatenate(
                [self._seen, np.zeros(larger - self._capacity, dtype=np.int64)]
            )
            self._capacity = larger
            return
        wanted = max(self._capacity // EVICTED_SHARE, 1)
        # Sorted by (kept, last seen): clients under suspicion go last.
        order = np.lexsort((self._seen, self._keep()))
        leaving = {int(row) for row in order[idle[order]][:wanted]}
        self._rows = {name: row for name, row in self._rows.items() if row not in leaving}
        self._free = sorted(leaving, reverse=True)
