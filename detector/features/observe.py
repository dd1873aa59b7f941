"""The kernel that compares one query with its client's memory, remembers it, and says what it saw.

It works event by event and never on a batch as a whole, so that its result does not depend on how
the log was cut into batches.
"""

from typing import Any, NamedTuple

import numpy as np

from detector.features import geometry
from detector.features.follow import (
    count_anchor,
    follow_burst,
    follow_margin,
    follow_records,
    follow_time,
)
from detector.features.observation import Probe
from detector.features.remember import remember
from detector.features.search import follow_sweep, leaves_grid, leaves_record, one_field_probe
from detector.features.state import KEPT, NATURAL, NATURAL_ROOT, Stat
from detector.features.structure import closes_pair, line_or_mirror, older_natural
from detector.features.trace import follow_trace
from detector.kit.compiled import compiled

# Compiled code wants plain integers.
(
    _FIRST, _REPEAT, _ONE_FIELD, _SEARCH, _STEP, _COLLINEAR, _SYMMETRIC, _FIXED, _NEAR, _EQUAL, _FAR,
) = (int(probe) for probe in Probe)  # fmt: skip
_QUERIES = int(Stat.QUERIES)
_INPUTS = int(Stat.INPUTS)
_FLIPS = int(Stat.FLIPS)
_RECORDS = int(Stat.RECORDS)
_STRANGE = int(Stat.STRANGE)
_BROKEN = int(Stat.BROKEN)
_OFF_GRID = int(Stat.OFF_GRID)
_SCATTERED = int(Stat.SCATTERED)
_NEAREST_COUNT = int(Stat.NEAREST_COUNT)
_NEAREST_SUM = int(Stat.NEAREST_SUM)
_LAST_STEP = int(Stat.LAST_STEP)
_VOLUME = int(Stat.VOLUME)
_MEMORY_COUNT = int(Stat.MEMORY_COUNT)
_NATURAL, _KEPT, _NATURAL_ROOT = NATURAL, KEPT, NATURAL_ROOT

STRANGE_SHARE = 0.02
MIN_FIELDS = 3
MIN_COMPANY = 8
LEAST_FIELDS, LEAST_ROUNDED = 3, 6
COUNT_LIMIT = 255


class Lens(NamedTuple):
    """What the kernel knows of the model; without a reference only `calibrated` = 0 matters.

    `gridded`: most numbers are so coarsely rounded that points stand on lines by chance. `rounded`:
    the scaled step that the others are rounded to. `near`, `typical` and `far` are scaled distances
    to the nearest remembered query; `stride` is the usual one between a client's queries one after
    another, in shares of the fields' ranges, and `span` are those ranges in scaled units.
    """

    calibrated: int
    gridded: int
    rounded: float
    near: float
    typical: float
    far: float
    stride: float
    low_margin: float
    scale: Any
    span: Any
    grid: Any
    centroids: Any


@compiled
def count_fading(counts: Any, place: int) -> None:
    """Add one to an 8-bit counter; when it is full, all of them are halved."""
    if counts[place] == COUNT_LIMIT:
        for i in range(len(counts)):
            counts[i] = (counts[i] + 1) // 2
    counts[place] += 1


@compiled
def _neighbours(
    z: Any, memory: Any, order: Any, marks: Any
) -> tuple[int, int, int, int, int, int, int, float]:
    """Return memory slots and more, a slot -1 where there is none.

    They are (equal, one field away, that field, nearest, newest, newest conspicuous one, changed
    fields of the nearest, its distance); the nearest differs in at least one field.
    """
    repeat, one, one_field, nearest, newest, last, fields = -1, -1, -1, -1, -1, -1, 0
    smallest = np.inf
    for m in range(len(order)):
        if order[m] == 0:
            continue
        if newest < 0 or order[m] > order[newest]:
            newest = m
        if marks[m] & _KEPT and (last < 0 or order[m] > order[last]):
            last = m
        changed, field, square = geometry.compare(z, memory[m], smallest)
        if changed == 0:
            repeat = m
        elif changed == 1 and (one < 0 or order[m] > order[one]):
            one = m
            one_field = field
        if changed > 0 and square < smallest:
            smallest = square
            nearest = m
            fields = changed
    return repeat, one, one_field, nearest, newest, last, fields, np.sqrt(smallest)


@compiled
def _several_fields(
    z: Any, line: Any, newest: int, nearest: int, distance: float, least: int, lens: Any,
    memory: Any, lines: Any, order: Any, marks: Any, stats: Any,
) -> tuple[int, int]:  # fmt: skip
    """Return (probe, memory slot it goes out from) of a query that changes several fields.

    A structure counts when at least `least` numbers take part in it, and with 0 never.
    """
    stats[_NEAREST_COUNT] += 1
    stats[_NEAREST_SUM] += min(distance, 100.0)
    near = lens.calibrated == 1 and distance < lens.near
    same = abs(distance - stats[_LAST_STEP]) <= 1e-3 * distance
    if lens.calibrated == 1 and distance < lens.typical:
        stats[_LAST_STEP] = distance
    if least > 0:
        noise = lens.rounded
        kind, j, k = line_or_mirror(z, line[0], line[1], noise, least, memory, lines, order)
        if kind >= 0:
            return kind, older_natural(j, k, order, marks)
        if closes_pair(z, line[0], line[1], noise, least, memory, lines, order, newest):
            return _SYMMETRIC, newest
        if same and least == LEAST_FIELDS and distance < lens.typical:
            return _FIXED if near else _EQUAL, nearest
    if near:
        return _NEAR, nearest
    return _FAR, -1


@compiled
def _hop(z: Any, last: int, memory: Any, lens: Any) -> float:
    """Return the distance to the newest conspicuous query, in usual strides and at most 3."""
    if last < 0:
        return 0.0
    return geometry.stride(z, memory[last], lens.span)


@compiled
def _spread(z: Any, memory: Any, order: Any, marks: Any, lens: Any) -> float:
    """Return the mean distance to older conspicuous queries, in usual strides and at most 3."""
    total = 0.0
    count = 0
    for m in range(len(order) // 2, len(order)):
        if order[m] > 0 and marks[m] & _KEPT:
            total += geometry.stride(z, memory[m], lens.span)
            count += 1
    if count < 3:
        return -1.0
    return total / count


@compiled
def _look(
    row: int, z: Any, cells: Any, label: int, scores: Any, p_value: float, broken: int, low: bool,
    lens: Any, table: Any,
) -> tuple[int, bool, bool, bool, bool, bool, bool, bool]:  # fmt: skip
    """Compare an input with the memory and remember it.

    Returns (probe, record, flip, strange, off_grid, scattered, routine, tells a routine).
    """
    memory, lines, order, labels = table[0][row], table[1][row], table[2][row], table[3][row]
    roots, kins, marks = table[4][row], table[5][row], table[6][row]
    stats = table[7][row]
    stats[_INPUTS] += 1
    line = geometry.project(z)
    strange = lens.calibrated == 1 and p_value <= STRANGE_SHARE
    off_grid = lens.calibrated == 1 and leaves_grid(cells, lens.grid)
    # Rounded values stand on lines and mirrors by chance: where benign values are rounded, a
    # structure counts among values that are not, or in many fields of rows that are broken.
    least = LEAST_FIELDS
    if lens.gridded == 1 and not off_grid:
        least = LEAST_ROUNDED if broken > 0 else 0
    repeat, one, one_field, nearest, newest, last, fields, distance = _neighbours(
        z, memory, order, marks
    )
    probe, base, tells, routine, scattered = _FIRST, -1, False, False, False
    if repeat >= 0:
        probe, base = _REPEAT, repeat
    elif one >= 0 and len(z) >= MIN_FIELDS:
        base = one
        probe = one_field_probe(z, cells, one_field, memory[one], memory, order, stats, lens)
        count_fading(table[10][row], one_field % table[10].shape[1])
        tells, routine = follow_sweep(z, one_field, stats, table[16][row], memory[one])
    elif nearest >= 0:
        tells = leaves_record(stats)
        probe, base = _several_fields(
            z, line, newest, nearest, distance, least, lens, memory, lines, order, marks, stats
        )
        company = stats[_MEMORY_COUNT] >= MIN_COMPANY
        scattered = company and lens.calibrated == 1 and distance > lens.far
    flip = False
    if base >= 0:
        flip = label >= 0 and labels[base] >= 0 and label != labels[base]
    elif nearest >= 0:
        flip = label >= 0 and labels[nearest] >= 0 and label != labels[nearest]
    if lens.calibrated == 1:
        cell = max(geometry.nearest_cell(z, lens.centroids), 0)
        count_fading(table[11][row], cell % table[11].shape[1])
    local = _STEP <= probe < _EQUAL
    unnatural = strange or off_grid or broken > 0
    record = False
    if unnatural or local:
        record = follow_records(scores, stats, table[13][row], table[14][row], table[15][row])
    conspicuous = unnatural or scattered or _ONE_FIELD <= probe < _FAR
    mark = 0 if unnatural else _NATURAL | _NATURAL_ROOT
    root, kin = 0, 0
    if base >= 0:
        root = roots[base]
        mark = (mark & _NATURAL) | (marks[base] & _NATURAL_ROOT)
        if probe > _ONE_FIELD:
            marks[base] |= _KEPT
            kins[base] += 1
            kin = kins[base]
    if conspicuous:
        mark |= _KEPT
        anchor = local and count_anchor(root, kin, (mark & _NATURAL_ROOT) > 0, stats)
        if local:
            tells, routine = follow_burst(root, stats)
        hop = _hop(z, last, memory, lens)
        spread = _spread(z, memory, order, marks, lens)
        if spread < 0.0:
            spread = hop
        fresh = newest >= 0 and not marks[newest] & _KEPT
        follow_trace(
            probe, label, fields / len(z), distance, hop, spread, fresh, low, anchor,
            (mark & _NATURAL_ROOT) > 0, strange, broken > 0, off_grid, scattered, flip, record, routine,
            stats, table[8][row],
        )  # fmt: skip
    if probe != _REPEAT:
        stats[_VOLUME] += 1.0
        remember(
            z, label, line, root, kin, mark, memory, lines, order, labels, roots, kins, marks,
            stats,
        )  # fmt: skip
    stats[_SCATTERED] += scattered
    return probe, record, flip, strange, off_grid, scattered, routine, tells


@compiled
def observe(
    row: int, z: Any, cells: Any, has_input: bool, label: int, scores: Any, margin: float,
    time_ms: int, p_value: float, broken: int, lens: Any, table: Any,
) -> int:  # fmt: skip
    """Update one client's row with one query and return the packed observation.

    `table` is `ClientTable.arrays()`, z (d,) the scaled and cells (d,) the folded input, scores
    (c,) with NaN where absent, p_value that of the input being benign, `broken` as in
    `Reference.judge`.
    """
    stats = table[7][row]
    stats[_QUERIES] += 1
    follow_time(stats, time_ms)
    probe, record, flip, strange, off_grid, scattered, routine, tells = (
        _FIRST, False, False, False, False, False, False, False,
    )  # fmt: skip
    low = follow_margin(stats, margin, lens)
    if has_input:
        probe, record, flip, strange, off_grid, scattered, routine, tells = _look(
            row, z, cells, label, scores, p_value, broken, low, lens, table
        )
    else:
        stats[_VOLUME] += 1.0
    table[9][row, probe] += 1
    stats[_STRANGE] += strange
    stats[_BROKEN] += has_input and broken > 0
    stats[_OFF_GRID] += off_grid
    stats[_FLIPS] += flip and probe != _FAR
    stats[_RECORDS] += record
    if label >= 0:
        count_fading(table[12][row], label % table[12].shape[1])
    code = (probe * 2 + int(record)) * 2 + int(flip)
    level = broken if has_input else 0
    code = ((code * 2 + int(strange)) * 2 + int(level > 0)) * 2 + int(level > 1)
    code = code * 2 + int(off_grid)
    code = (code * 2 + int(scattered)) * 2 + int(low)
    return (code * 2 + int(routine)) * 2 + int(tells)
