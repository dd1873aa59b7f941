"""Benign clients' lives, lived through fresh state to see what they show."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import NO_LABEL, Floats
from detector.features.block import fields_at
from detector.features.catalogue import CATALOGUE
from detector.features.geometry import apartness
from detector.features.lens import make_lens, view_cells
from detector.features.observation import FLAGS, Probe
from detector.features.observe import MIN_COMPANY, observe
from detector.features.reading import read_row
from detector.features.state import ClientTable, Stat
from detector.features.view import without_gaps
from detector.kit.compiled import borrowing
from detector.reference.forest import AGE
from detector.reference.habits import Habit
from detector.reference.newcomers import Newcomers
from detector.reference.picture import Reference
from detector.reference.volumes import Volumes
from detector.scoring.clients import volumes_of

MAX_DISTANCES = 64
PROFILE_QUERIES = (32, 64, 128, 256)
_QUERIES = int(Stat.QUERIES)
_NEAREST_SUM = int(Stat.NEAREST_SUM)
_NEAREST_COUNT = int(Stat.NEAREST_COUNT)
_MEMORY_COUNT = int(Stat.MEMORY_COUNT)
_COLLINEAR = int(Probe.COLLINEAR)


class BenignLog:
    """Benign events as the kernel takes them, rows of one client in their order."""

    def __init__(
        self, z: NDArray[np.float32], cells: Floats, labels: NDArray[np.int64], scores: Floats,
        margins: Floats, time_ms: NDArray[np.int64], owner: NDArray[np.int64],
    ) -> None:  # fmt: skip
        self.z, self.cells, self.labels, self.scores = z, cells, labels, scores
        self.margins, self.time_ms, self.owner = margins, time_ms, owner

    def of(self, group: Newcomers) -> "BenignLog":
        """Return a group as one client's life, with the answers to the rows it is made of."""
        owner = np.zeros(len(group.rows), dtype=np.int64)
        return self._made(group.rows, group.cells, owner, group.reference)

    def working(self, habit: Habit, reference: Reference) -> "BenignLog":
        """Return clients with a habit, with the answers to rows that are sent as they are."""
        made = self._made(habit.rows, habit.cells, habit.owner, reference)
        made.labels[habit.changed] = NO_LABEL
        made.scores[habit.changed] = np.nan
        made.margins[habit.changed] = np.nan
        return made

    def _made(
        self, rows: NDArray[np.int64], cells: Floats, owner: NDArray[np.int64], reference: Reference
    ) -> "BenignLog":
        cells = np.ascontiguousarray(cells)
        return BenignLog(
            view_cells(cells, reference), cells, self.labels[rows], self.scores[rows],
            self.margins[rows], np.sort(self.time_ms[rows]), owner,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """What benign events showed.

    Attributes:
        codes: (n,) what the kernel saw.
        distances: (m,) distances to the nearest remembered query, of queries that change several
            fields with some company in memory; no client counts with more than 64.
        apart: (n,) mean squared distances to the remembered queries; NaN of queries that change
            fewer fields or have less company.
        volumes: How much the clients asked.
        vectors: (v, f) feature vectors at fixed ages, client after client (`forest.lives`).
    """

    codes: NDArray[np.int64]
    distances: Floats
    apart: Floats
    volumes: Volumes
    vectors: Floats


@borrowing
def _live(
    owner: Any, events: Any, lens: Any, held: Any, regions: int, codes: Any, nearest: Any,
    apart: Any, profiles: Any, senders: Any,
) -> int:  # fmt: skip
    """Put the (n,) packed observations into `codes`, and return how many profiles were filled.

    `events` is (z, cells, labels, scores, margins, time_ms, p_values, broken), `held` is (rows,
    starts, blank) of the table. `nearest` (n,) gets the distances to the nearest that count,
    `apart` (n,) those to all, `profiles` (v, f) the features at fixed ages and `senders` (v,) whose
    they are.
    """
    z, cells, labels, scores, margins, time_ms, p_values, broken = events
    rows, starts, blank = held
    filled = 0
    for i in range(len(owner)):
        client = fields_at(blank, rows, owner[i], starts, 0)
        stats = client.stats
        before = stats[_NEAREST_SUM]
        if stats[_MEMORY_COUNT] >= MIN_COMPANY:
            apart[i] = apartness(z[i], client.memory, client.order)
        codes[i] = observe(
            client, z[i], cells[i], True, labels[i], scores[i], margins[i], time_ms[i],
            p_values[i], broken[i], lens,
        )  # fmt: skip
        if codes[i] >> FLAGS < _COLLINEAR:
            apart[i] = np.nan
        if MIN_COMPANY < stats[_NEAREST_COUNT] <= MAX_DISTANCES:
            nearest[i] = stats[_NEAREST_SUM] - before
        if stats[_QUERIES] in PROFILE_QUERIES:
            read_row(client, regions, profiles[filled])
            senders[filled] = owner[i]
            filled += 1
    return filled


def live(reference: Reference, log: BenignLog) -> Seen:
    """Run the benign events through fresh state."""
    count, clients = len(log.owner), int(log.owner.max()) + 1
    apart = np.full(count, np.nan)
    table = ClientTable(log.z.shape[1], clients)
    p_values, broken = reference.judge(log.cells)
    events = (
        log.z, log.cells, log.labels, log.scores, log.margins, log.time_ms, p_values, broken,
    )  # fmt: skip
    codes, nearest = np.zeros(count, dtype=np.int64), np.zeros(count)
    profiles = np.empty((clients * len(PROFILE_QUERIES), len(CATALOGUE)))
    senders = np.zeros(len(profiles), dtype=np.int64)
    filled = _live(
        log.owner, events, make_lens(reference, log.z.shape[1]),
        (table.block.rows, table.block.starts, table.blank), len(reference.centroids),
        codes, nearest, apart, profiles, senders,
    )  # fmt: skip
    vectors = without_gaps(profiles[:filled])
    vectors = vectors[np.lexsort((vectors[:, AGE], senders[:filled]))]
    return Seen(codes, nearest[nearest > 0.0], apart, volumes_of(table.stats), vectors)
