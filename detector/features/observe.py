"""The kernel that compares one query with its client's memory, remembers it, and says what it saw.

It works event by event and never on a batch as a whole, so that its result does not depend on how
the log was cut into batches.
"""

from typing import Any, NamedTuple

import numpy as np

from detector.features import geometry
from detector.features.geometry import is_number
from detector.features.observation import Probe
from detector.features.state import (
    CELLS,
    COLUMNS,
    MEMORY,
    RECENT,
    RESERVOIR,
    SWEEP_VALUES,
    Stat,
)
from detector.kit.compiled import compiled

# Compiled code wants plain integers.
(
    _FIRST, _REPEAT, _ONE_FIELD, _SEARCH, _STEP, _COLLINEAR, _SYMMETRIC, _NEAR_STEP, _NEAR, _FAR,
) = (int(probe) for probe in Probe)  # fmt: skip
_QUERIES, _INPUTS, _FIRST_MS, _LAST_MS = (
    int(s) for s in (Stat.QUERIES, Stat.INPUTS, Stat.FIRST_MS, Stat.LAST_MS)
)
_GAP_MEAN, _GAP_SQUARE = int(Stat.GAP_MEAN), int(Stat.GAP_SQUARE)
_SCORED, _MARGIN_SUM, _LOW_MARGINS = (
    int(s) for s in (Stat.SCORED, Stat.MARGIN_SUM, Stat.LOW_MARGINS)
)
_MARGIN_RECENT, _FLIPS, _RECORDS = (int(s) for s in (Stat.MARGIN_RECENT, Stat.FLIPS, Stat.RECORDS))
_STRANGE, _OFF_GRID = int(Stat.STRANGE), int(Stat.OFF_GRID)
_NEAREST_COUNT, _NEAREST_SUM, _LAST_STEP = (
    int(s) for s in (Stat.NEAREST_COUNT, Stat.NEAREST_SUM, Stat.LAST_STEP)
)
_LAST_ONE_FIELD, _LAST_ONE_BASE, _LAST_ONE_STEP = (
    int(s) for s in (Stat.LAST_ONE_FIELD, Stat.LAST_ONE_BASE, Stat.LAST_ONE_STEP)
)
_SWEEP_FIELD, _SWEEP_BASE, _SWEEP_KNOWN, _SWEEP_HERE, _SWEEP_BASES, _REVALUES = (
    int(s)
    for s in (
        Stat.SWEEP_FIELD,
        Stat.SWEEP_BASE,
        Stat.SWEEP_KNOWN,
        Stat.SWEEP_HERE,
        Stat.SWEEP_BASES,
        Stat.REVALUES,
    )
)
_RUN, _PENDING, _ANCHORS = int(Stat.RUN), int(Stat.PENDING), int(Stat.ANCHORS)
_MEMORY_COUNT = int(Stat.MEMORY_COUNT)

RECORD_WARM_UP = 8
ANCHOR_RUN = 8
MIDPOINT_TOLERANCE = 0.02
STRANGE_SHARE = 0.02
MIN_FIELDS = 3


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
def _seen(values: Any, count: float, value: float) -> bool:
    return bool((values[: int(count)] == value).any())


@compiled
def _base_hash(z: Any, field: int) -> float:
    """Return a number that two records share when they agree in all fields but one."""
    total = 0.0
    for j in range(len(z)):
        if j != field:
            total += geometry.as_number(z[j], 0.7) * np.cos(0.3 + 1.7 * j)
    return total + field * 1e-3


@compiled
def _sweep(z: Any, field: int, stats: Any, sweep: Any, base: Any) -> bool:
    """Follow a field that takes value after value on record after record.

    `sweep` holds the values tried on the previous base record and on this one, in their order. True
    when this value stands where it stood on the previous record.
    """
    digest = _base_hash(z, field)
    if stats[_SWEEP_FIELD] != field + 1:
        stats[_SWEEP_FIELD] = field + 1
        stats[_SWEEP_KNOWN] = 0
        stats[_SWEEP_HERE] = 0
        stats[_SWEEP_BASES] = 0
        stats[_SWEEP_BASE] = np.nan
    if stats[_SWEEP_BASE] != digest:
        sweep[0] = sweep[1]
        stats[_SWEEP_KNOWN] = stats[_SWEEP_HERE]
        stats[_SWEEP_BASE] = digest
        stats[_SWEEP_BASES] += 1
        stats[_SWEEP_HERE] = 1
        sweep[1, 0] = np.float32(-3e38) if np.isnan(base[field]) else base[field]
    value = np.float32(-3e38) if np.isnan(z[field]) else z[field]
    here = int(stats[_SWEEP_HERE])
    # A script keeps the order of its values from record to record, a person trying things does not.
    again = here < stats[_SWEEP_KNOWN] and sweep[0, here] == value and sweep[0, 0] == sweep[1, 0]
    if here < SWEEP_VALUES and not _seen(sweep[1], here, value):
        sweep[1, here] = value
        stats[_SWEEP_HERE] += 1
    if again:
        stats[_REVALUES] += 1
    return again


@compiled
def _midpoint(z: Any, field: int, memory: Any, order: Any) -> bool:
    """Whether the value halves an interval between values tried with all else equal."""
    low = -np.inf
    high = np.inf
    x = np.float64(z[field])
    for m in range(MEMORY):
        if order[m] == 0 or not is_number(memory[m, field]):
            continue
        changed, last, _ = geometry.compare(z, memory[m])
        if changed == 1 and last == field:
            y = np.float64(memory[m, field])
            if y < x:
                low = max(low, y)
            else:
                high = min(high, y)
    if low == -np.inf or high == np.inf:
        return False
    return bool(abs(x - 0.5 * (low + high)) <= MIDPOINT_TOLERANCE * (high - low))


@compiled
def _off_grid(raw: float, grid: float) -> bool:
    if grid <= 0.0:
        return False
    multiple = raw / grid
    return abs(multiple - np.round(multiple)) > 1e-5 * max(1.0, abs(multiple) * 1e-6)


@compiled
def _leaves_grid(cells: Any, grid: Any) -> bool:
    """Whether two numbers are off the grid that all benign values of their fields keep.

    One alone may be a client's new habit, unless only one number could be off: zeros lie on every
    grid, and clipped or sparse inputs are full of them.
    """
    off = 0
    able = 0
    for j in range(len(cells)):
        if is_number(cells[j]) and cells[j] != 0.0 and grid[j] > 0.0:
            able += 1
            off += _off_grid(cells[j], grid[j])
    return off > 0 and off >= min(2, able)


@compiled
def _one_field(
    z: Any, cells: Any, field: int, base: Any, memory: Any, order: Any, stats: Any, lens: Any
) -> int:
    """Tell an ordinary one-field change from a searching one and from a step field by field."""
    x, y = z[field], base[field]
    if np.isnan(x) != np.isnan(y):
        stats[_LAST_ONE_FIELD] = field + 1
        return _SEARCH
    if not (is_number(x) and is_number(y)):
        stats[_LAST_ONE_FIELD] = field + 1
        return _ONE_FIELD
    step = abs(np.float64(x) - y)
    off = lens.calibrated == 1 and _off_grid(cells[field], lens.grid[field])
    raw_step = step * lens.scale[field]
    same = abs(raw_step - stats[_LAST_ONE_STEP]) <= 0.01 * raw_step + 1e-12
    gridless = lens.calibrated == 0 or lens.grid[field] == 0.0
    moved = stats[_LAST_ONE_FIELD] != field + 1
    stats[_LAST_ONE_FIELD] = field + 1
    stats[_LAST_ONE_STEP] = raw_step
    if moved and (off or (same and gridless)):
        return _STEP
    if _midpoint(z, field, memory, order):
        return _SEARCH
    return _ONE_FIELD


@compiled
def _line_or_mirror(
    z: Any, first: float, second: float, memory: Any, lines: Any, order: Any
) -> int:
    """Return the probe when z stands on a line or mirror of two remembered queries, else -1."""
    for j in range(MEMORY):
        if order[j] == 0:
            continue
        a1 = first - lines[j, 0]
        a2 = second - lines[j, 1]
        for k in range(j):
            if order[k] == 0:
                continue
            left = a1 * (second - lines[k, 1])
            right = a2 * (first - lines[k, 0])
            if abs(left - right) > 4e-3 * (abs(left) + abs(right)) + 1e-12:
                continue
            t = geometry.on_line(z, memory[j], memory[k])
            if np.isnan(t):
                continue
            if abs(t - 2.0) < 0.01 or abs(t - 0.5) < 0.005:
                return _SYMMETRIC
            return _COLLINEAR
    return -1


@compiled
def _closes_pair(
    z: Any, first: float, second: float, memory: Any, lines: Any, order: Any, newest: int
) -> bool:
    """Whether z and the newest query have the midpoint of another remembered pair."""
    s1 = first + lines[newest, 0]
    s2 = second + lines[newest, 1]
    size = abs(first) + abs(second) + 1e-9
    for j in range(MEMORY):
        if order[j] == 0 or j == newest:
            continue
        for k in range(j):
            if order[k] == 0 or k == newest:
                continue
            off = abs(s1 - lines[j, 0] - lines[k, 0]) + abs(s2 - lines[j, 1] - lines[k, 1])
            if off <= 2e-2 * size and geometry.same_center(z, memory[newest], memory[j], memory[k]):
                return True
    return False


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
def _records(scores: Any, n: float, stats: Any, peaks: Any, starts: Any, records: Any) -> bool:
    """Follow the highest score of each class; true when the class that climbs most climbed."""
    climbed = -1
    for c in range(len(scores)):
        score = scores[c]
        if np.isnan(score):
            continue
        if n <= RECORD_WARM_UP:
            starts[c] = max(starts[c], np.float32(score))
            peaks[c] = starts[c]
        elif score > peaks[c] + 1e-6:
            peaks[c] = score
            if records[c] < 65535:
                records[c] += 1
            if climbed < 0 or records[c] > records[climbed]:
                climbed = c
    if climbed < 0:
        return False
    return bool(records[climbed] == records.max())


@compiled
def _anchor(probe: int, unnatural: bool, stats: Any) -> None:
    """Count the natural records that were probed from close by, one after another."""
    if probe >= _STEP and probe != _FAR:
        stats[_RUN] += 1
        if stats[_ANCHORS] == 0 and stats[_RUN] >= ANCHOR_RUN:
            stats[_ANCHORS] = 1
        if stats[_PENDING] == 1 and stats[_RUN] >= 3:
            stats[_ANCHORS] += 1
            stats[_PENDING] = 0
    elif probe == _FAR and not unnatural and stats[_RUN] >= ANCHOR_RUN:
        stats[_PENDING] = 1
        stats[_RUN] = 0


@compiled
def observe(
    row: int, z: Any, cells: Any, has_input: bool, label: int, scores: Any, margin: float,
    time_ms: int, p_value: float, lens: Any, table: Any,
) -> int:  # fmt: skip
    """Update one client's row with one query and return the packed observation."""
    (
        all_memory, all_lines, all_order, all_labels, all_stats, probes, changed_fields,
        cell_counts, label_counts, peaks, starts, records, sweep,
    ) = table  # fmt: skip
    stats = all_stats[row]
    memory, lines, order, labels = all_memory[row], all_lines[row], all_order[row], all_labels[row]
    n = stats[_QUERIES] + 1
    stats[_QUERIES] = n
    _time(stats, n, time_ms)

    probe = _FIRST
    flip = False
    revalue = False
    strange = False
    off_grid = False
    if has_input:
        stats[_INPUTS] += 1
        first, second = geometry.project(z)
        if lens.calibrated == 1:
            strange = p_value <= STRANGE_SHARE
            off_grid = _leaves_grid(cells, lens.grid)
        # Rounded values stand on lines and mirrors by chance; where benign values are rounded, only
        # values that are not, or that are strange anyway, are looked at for a structure.
        natural = lens.gridded == 1 and not strange and not off_grid
        repeat, one, nearest, newest = -1, -1, -1, -1
        distance = np.inf
        one_field = -1
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
            if changed > 0 and square < distance:
                distance = square
                nearest = m
        distance = np.sqrt(distance)
        compared = nearest
        if repeat >= 0:
            probe = _REPEAT
            compared = repeat
        elif one >= 0 and len(z) >= MIN_FIELDS:
            compared = one
            probe = _one_field(z, cells, one_field, memory[one], memory, order, stats, lens)
            if changed_fields[row, one_field % COLUMNS] < 65535:
                changed_fields[row, one_field % COLUMNS] += 1
            revalue = _sweep(z, one_field, stats, sweep[row], memory[one])
        elif nearest >= 0:
            stats[_NEAREST_COUNT] += 1
            stats[_NEAREST_SUM] += min(distance, 100.0)
            probe = _FAR
            kind = -1
            if not natural:
                kind = _line_or_mirror(z, first, second, memory, lines, order)
            near = lens.calibrated == 1 and distance < lens.near
            if kind >= 0:
                probe = kind
            elif not natural and _closes_pair(z, first, second, memory, lines, order, newest):
                probe = _SYMMETRIC
            elif near:
                same = abs(distance - stats[_LAST_STEP]) <= 1e-3 * distance
                probe = _NEAR_STEP if same and not natural else _NEAR
            if near:
                stats[_LAST_STEP] = distance
        if compared >= 0 and label >= 0 and labels[compared] >= 0:
            flip = label != labels[compared]
        if lens.calibrated == 1:
            k = geometry.nearest_cell(z, lens.centroids)
            if k >= 0 and cell_counts[row, k % CELLS] < 65535:
                cell_counts[row, k % CELLS] += 1
        if probe != _REPEAT:
            _remember(z, label, first, second, memory, lines, order, labels, stats)
        _anchor(probe, strange or off_grid, stats)
    probes[row, probe] += 1
    stats[_STRANGE] += strange
    stats[_OFF_GRID] += off_grid
    stats[_FLIPS] += flip and probe != _FAR
    if label >= 0 and label_counts[row, label % label_counts.shape[1]] < 65535:
        label_counts[row, label % label_counts.shape[1]] += 1
    low = _outputs(stats, margin, lens)
    record = _records(scores, n, stats, peaks[row], starts[row], records[row])
    record = (record and _STEP <= probe < _FAR) or (record and probe in (_ONE_FIELD, _SEARCH))
    stats[_RECORDS] += record
    code = (probe * 2 + int(record)) * 2 + int(flip)
    code = (code * 2 + int(strange)) * 2 + int(off_grid)
    return (code * 2 + int(low)) * 2 + int(revalue)


@compiled
def _time(stats: Any, n: float, time_ms: int) -> None:
    if n == 1:
        stats[_FIRST_MS] = time_ms
    else:
        gap = max((time_ms - stats[_LAST_MS]) / 1000.0, 0.0)
        stats[_GAP_MEAN] += (gap - stats[_GAP_MEAN]) / (n - 1)
        stats[_GAP_SQUARE] += (gap * gap - stats[_GAP_SQUARE]) / (n - 1)
    stats[_LAST_MS] = max(time_ms, stats[_LAST_MS])


@compiled
def _outputs(stats: Any, margin: float, lens: Any) -> bool:
    if np.isnan(margin):
        return False
    stats[_SCORED] += 1
    stats[_MARGIN_SUM] += margin
    weight = max(0.05, 1.0 / stats[_SCORED])
    stats[_MARGIN_RECENT] += weight * (margin - stats[_MARGIN_RECENT])
    low = lens.calibrated == 1 and lens.low_margin >= 0.0 and margin < lens.low_margin
    stats[_LOW_MARGINS] += low
    return bool(low)
