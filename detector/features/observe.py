"""The kernel that compares one query with its client's memory, remembers it, and says what it saw.

It works event by event and never on a batch as a whole, so that its result does not depend on how
the log was cut into batches.
"""

from typing import Any, NamedTuple

import numpy as np

from detector.features import geometry
from detector.features.follow import count_anchors, follow_margin, follow_records, follow_time
from detector.features.observation import Probe
from detector.features.search import follow_sweep, leaves_grid, one_field_probe
from detector.features.state import CELLS, COLUMNS, MEMORY, RECENT, RESERVOIR, Stat
from detector.features.structure import closes_pair, line_or_mirror
from detector.kit.compiled import compiled

# Compiled code wants plain integers.
(
    _FIRST, _REPEAT, _ONE_FIELD, _SEARCH, _STEP, _COLLINEAR, _SYMMETRIC, _NEAR_STEP, _NEAR, _FAR,
) = (int(probe) for probe in Probe)  # fmt: skip
_QUERIES = int(Stat.QUERIES)
_INPUTS = int(Stat.INPUTS)
_FLIPS = int(Stat.FLIPS)
_RECORDS = int(Stat.RECORDS)
_STRANGE = int(Stat.STRANGE)
_OFF_GRID = int(Stat.OFF_GRID)
_NEAREST_COUNT = int(Stat.NEAREST_COUNT)
_NEAREST_SUM = int(Stat.NEAREST_SUM)
_LAST_STEP = int(Stat.LAST_STEP)
_MEMORY_COUNT = int(Stat.MEMORY_COUNT)

STRANGE_SHARE = 0.02
MIN_FIELDS = 3
COUNT_LIMIT = 65535


class Lens(NamedTuple):
    """What the kernel knows of the model; without a reference only `calibrated` = 0 matters."""

    calibrated: int
    gridded: int
    near: float
    low_margin: float
    scale: Any
    grid: Any
    centroids: Any


@compiled
def _remember(
    z: Any, label: int, first: float, second: float, memory: Any, lines: Any, order: Any,
    labels: Any, stats: Any,
) -> None:  # fmt: skip
    """Put z in the ring of recent queries; what it pushes out may enter the reservoir.

    The reservoir is a fixed-seed version of algorithm R (Vitter 1985).
    """
    count = int(stats[_MEMORY_COUNT])
    slot = count % RECENT
    if order[slot] > 0:
        left = count - RECENT
        place = left
        if left >= RESERVOIR:
            place = ((left * 2654435761) >> 7) % left
        if place < RESERVOIR:
            old = RECENT + place
            memory[old] = memory[slot]
            lines[old] = lines[slot]
            order[old] = order[slot]
            labels[old] = labels[slot]
    memory[slot] = z
    lines[slot, 0] = first
    lines[slot, 1] = second
    order[slot] = count + 1
    labels[slot] = label
    stats[_MEMORY_COUNT] += 1


@compiled
def _count(counts: Any, place: int) -> None:
    """Add one to a 16-bit counter that stays at its end."""
    if counts[place] < COUNT_LIMIT:
        counts[place] += 1


@compiled
def _neighbours(z: Any, memory: Any, order: Any) -> tuple[int, int, int, int, int, float]:
    """Return (equal, one field away, that field, nearest, newest) memory slots and the distance.

    A slot is -1 where there is none; the nearest differs in at least one field.
    """
    repeat, one, one_field, nearest, newest = -1, -1, -1, -1, -1
    smallest = np.inf
    for m in range(MEMORY):
        if order[m] == 0:
            continue
        if newest < 0 or order[m] > order[newest]:
            newest = m
        changed, last, square = geometry.compare(z, memory[m])
        if changed == 0:
            repeat = m
        elif changed == 1 and (one < 0 or order[m] > order[one]):
            one = m
            one_field = last
        if changed > 0 and square < smallest:
            smallest = square
            nearest = m
    return repeat, one, one_field, nearest, newest, np.sqrt(smallest)


@compiled
def _far_or_near(
    z: Any, line: Any, newest: int, distance: float, natural: bool, lens: Any, memory: Any,
    lines: Any, order: Any, stats: Any,
) -> int:  # fmt: skip
    """Return the probe of a query that changes several fields; `line` is its projection."""
    stats[_NEAREST_COUNT] += 1
    stats[_NEAREST_SUM] += min(distance, 100.0)
    near = lens.calibrated == 1 and distance < lens.near
    same = abs(distance - stats[_LAST_STEP]) <= 1e-3 * distance
    if near:
        stats[_LAST_STEP] = distance
    if not natural:
        kind = line_or_mirror(z, line[0], line[1], memory, lines, order)
        if kind >= 0:
            return kind
        if closes_pair(z, line[0], line[1], memory, lines, order, newest):
            return _SYMMETRIC
    if near:
        return _NEAR_STEP if same and not natural else _NEAR
    return _FAR


@compiled
def _look(
    row: int, z: Any, cells: Any, label: int, p_value: float, lens: Any, table: Any
) -> tuple[int, bool, bool, bool, bool]:
    """Compare an input with the memory and remember it.

    Returns (probe, flip, strange, off_grid, revalue).
    """
    memory, lines, order, labels = table[0][row], table[1][row], table[2][row], table[3][row]
    stats = table[4][row]
    stats[_INPUTS] += 1
    line = geometry.project(z)
    strange = lens.calibrated == 1 and p_value <= STRANGE_SHARE
    off_grid = lens.calibrated == 1 and leaves_grid(cells, lens.grid)
    # Rounded values stand on lines and mirrors by chance; where benign values are rounded, only
    # values that are not, or that are strange anyway, are looked at for a structure.
    natural = lens.gridded == 1 and not strange and not off_grid
    repeat, one, one_field, nearest, newest, distance = _neighbours(z, memory, order)
    probe = _FIRST
    compared = nearest
    revalue = False
    if repeat >= 0:
        probe = _REPEAT
        compared = repeat
    elif one >= 0 and len(z) >= MIN_FIELDS:
        compared = one
        probe = one_field_probe(z, cells, one_field, memory[one], memory, order, stats, lens)
        _count(table[6][row], one_field % COLUMNS)
        revalue = follow_sweep(z, one_field, stats, table[12][row], memory[one])
    elif nearest >= 0:
        probe = _far_or_near(z, line, newest, distance, natural, lens, memory, lines, order, stats)
    flip = compared >= 0 and label >= 0 and labels[compared] >= 0 and label != labels[compared]
    if lens.calibrated == 1:
        _count(table[7][row], max(geometry.nearest_cell(z, lens.centroids), 0) % CELLS)
    if probe != _REPEAT:
        _remember(z, label, line[0], line[1], memory, lines, order, labels, stats)
    count_anchors(probe, strange or off_grid, stats)
    return probe, flip, strange, off_grid, revalue


@compiled
def observe(
    row: int, z: Any, cells: Any, has_input: bool, label: int, scores: Any, margin: float,
    time_ms: int, p_value: float, lens: Any, table: Any,
) -> int:  # fmt: skip
    """Update one client's row with one query and return the packed observation.

    `table` is `ClientTable.arrays()`, z (d,) the scaled and cells (d,) the folded input, scores
    (c,) with NaN where absent, p_value that of the input being benign.
    """
    stats = table[4][row]
    n = stats[_QUERIES] + 1
    stats[_QUERIES] = n
    follow_time(stats, n, time_ms)
    probe, flip, strange, off_grid, revalue = _FIRST, False, False, False, False
    if has_input:
        probe, flip, strange, off_grid, revalue = _look(row, z, cells, label, p_value, lens, table)
    table[5][row, probe] += 1
    stats[_STRANGE] += strange
    stats[_OFF_GRID] += off_grid
    stats[_FLIPS] += flip and probe != _FAR
    if label >= 0:
        _count(table[8][row], label % table[8].shape[1])
    low = follow_margin(stats, margin, lens)
    climbed = follow_records(scores, n, stats, table[9][row], table[10][row], table[11][row])
    record = climbed and _ONE_FIELD <= probe < _FAR
    stats[_RECORDS] += record
    code = (probe * 2 + int(record)) * 2 + int(flip)
    code = (code * 2 + int(strange)) * 2 + int(off_grid)
    return (code * 2 + int(low)) * 2 + int(revalue)
