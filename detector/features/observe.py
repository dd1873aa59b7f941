"""The kernel that compares one query with its client's memory, remembers it, and says what it saw.

It works event by event and never on a batch as a whole, so that its result does not depend on how
the log was cut into batches.
"""

from typing import Any, NamedTuple

from detector.features import geometry
from detector.features.cells import nearest_cell
from detector.features.follow import (
    follow_burst,
    follow_margin,
    follow_records,
    follow_time,
)
from detector.features.home import follow_asked, follow_home, follow_visit
from detector.features.observation import Probe
from detector.features.relation import least_fields, lies_apart, neighbours, relate
from detector.features.remember import Memory, differs, remember
from detector.features.search import leaves_grid
from detector.features.span import in_span
from detector.features.state import KEPT, NATURAL_ROOT, RECORD, Stat
from detector.features.trace import Marks, follow_trace, place_of
from detector.kit.compiled import borrowing

# Compiled code wants plain integers.
_FIRST, _REPEAT, _ONE_FIELD, _CHOICE, _STEP, _COLLINEAR, _EQUAL, _FAR = (
    int(probe)
    for probe in (
        Probe.FIRST, Probe.REPEAT, Probe.ONE_FIELD, Probe.ONE_FIELD_CHOICE, Probe.ONE_FIELD_STEP,
        Probe.COLLINEAR, Probe.EQUAL_STEP, Probe.FAR,
    )
)  # fmt: skip
_QUERIES = int(Stat.QUERIES)
_INPUTS = int(Stat.INPUTS)
_FLIPS = int(Stat.FLIPS)
_RECORDS = int(Stat.RECORDS)
_STRANGE = int(Stat.STRANGE)
_BROKEN = int(Stat.BROKEN)
_OFF_GRID = int(Stat.OFF_GRID)
_SCATTERED = int(Stat.SCATTERED)
_VOLUME = int(Stat.VOLUME)
_TURN_GAIN = int(Stat.TURN_GAIN)
_MEMORY_COUNT = int(Stat.MEMORY_COUNT)
_KEPT, _NATURAL_ROOT, _RECORD = KEPT, NATURAL_ROOT, RECORD

STRANGE_SHARE = 0.02
MIN_COMPANY = 8
APART = 0.7
# By how much more than apart from all, as mean squares.
REMOTE = 1.2
COUNT_LIMIT = 255


class Lens(NamedTuple):
    """What the kernel knows of the model; without a reference only `calibrated` = 0 matters.

    `gridded`: most numbers are so coarsely rounded that points stand on lines by chance. `rounded`:
    the scaled step that the others are rounded to. `near` and `typical` are scaled distances to the
    nearest remembered query, `apart` is the mean squared distance to all of them; `span` are the
    fields' ranges in scaled units and `ends` (d, 4) their low ends, quartiles and high ends;
    `grid`, `origin` and `slack` are the raw steps of their grids, a place of each, and the share of
    the step that a number on it may be off; `lattice` are the scaled steps of those that take few
    values without a grid, else 0; `missing` are the shares of benign queries without the fields;
    `cells` (d, k) are the centres of the input space's cells as columns, `coarse` the same as
    float32; `room` is the kernel's own, for its estimates.
    """

    calibrated: int
    gridded: int
    rounded: float
    near: float
    typical: float
    apart: float
    low_margin: float
    scale: Any
    span: Any
    grid: Any
    origin: Any
    slack: Any
    lattice: Any
    missing: Any
    ends: Any
    cells: Any
    coarse: Any
    room: Any


@borrowing
def count_fading(counts: Any, place: int) -> None:
    """Add one to an 8-bit counter; when it is full, all of them are halved."""
    if counts[place] == COUNT_LIMIT:
        for i in range(len(counts)):
            counts[i] = (counts[i] + 1) // 2
    counts[place] += 1


@borrowing
def _lineage(relation: Any, unnatural: bool, held: Any) -> tuple[int, int]:
    """Return (root, mark) of a query, and mark the one that it goes out from."""
    base = relation.base
    if base < 0:
        return 0, 0 if unnatural else _NATURAL_ROOT
    mark = held.marks[base] & _NATURAL_ROOT
    if relation.probe <= _CHOICE:
        return held.roots[base], mark
    held.marks[base] |= _KEPT
    return held.roots[base], mark


@borrowing
def _look(
    client: Any, z: Any, cells: Any, label: int, scores: Any, p_value: float, broken: int,
    low: bool, lens: Any,
) -> tuple[int, Any, bool]:  # fmt: skip
    """Compare an input with the memory and remember it; return (probe, marks, tells a routine)."""
    held = Memory(
        client.memory, client.lines, client.order, client.memory_labels, client.roots, client.marks,
    )  # fmt: skip
    stats = client.stats
    stats[_INPUTS] += 1
    line = geometry.project(z)
    strange = lens.calibrated == 1 and p_value <= STRANGE_SHARE
    off_grid = lens.calibrated == 1 and leaves_grid(cells, lens)
    beside = neighbours(z, held, lens.room)
    least = least_fields(z, held, lens, off_grid, broken)
    relation = relate(z, cells, line, least, beside, lens, held, stats, client.sweep, client.turns)
    probe, routine, tells = relation.probe, relation.routine, relation.tells
    if _ONE_FIELD <= probe <= _STEP:
        count_fading(client.changed, beside.field % len(client.changed))
    company = lens.calibrated == 1 and stats[_MEMORY_COUNT] >= MIN_COMPANY
    scattered = company and probe >= _COLLINEAR and lies_apart(z, held, lens.apart, lens.room)
    remote = scattered and lies_apart(z, held, REMOTE * lens.apart, lens.room)
    flip = differs(label, relation.base if relation.base >= 0 else beside.nearest, held.labels)
    if lens.calibrated == 1:
        cell = max(nearest_cell(z, lens.cells, lens.coarse, lens.room), 0)
        count_fading(client.cells, cell % len(client.cells))
    local = _STEP <= probe < _EQUAL
    unnatural = strange or off_grid or broken > 0
    record = False
    if unnatural or local:
        record = follow_records(scores, stats, client.peaks, client.starts, client.records)
    root, mark = _lineage(relation, unnatural, held)
    if local:
        tells, routine = follow_burst(root, stats)
    # A narrow group near the boundary is unsure about much the same input again and again.
    low = low and (probe != _FAR or beside.distance >= APART * lens.typical)
    conspicuous = unnatural or scattered or _ONE_FIELD <= probe < _FAR
    spanned = conspicuous and lens.calibrated == 1 and probe > _STEP and in_span(z, held)
    aligned = relation.crossed or spanned
    marks = Marks(
        strange, broken > 0, off_grid, scattered, remote, flip, record, routine, low, aligned
    )
    if conspicuous:
        mark |= _KEPT
        home = follow_home(z, label, held, stats, lens)
        place = place_of(z, beside, mark, home, held, lens)
        follow_trace(probe, label, place, marks, stats, client.trace)
        follow_visit(stats)
    elif probe in (_FAR, _FIRST) and beside.distance >= APART * lens.typical:
        mark |= _RECORD
        follow_asked(stats)
    if probe != _REPEAT:
        stats[_VOLUME] += 1.0
        remember(z, label, line, root, mark, held, stats)
    return probe, marks, tells


@borrowing
def _pack(probe: int, broken: int, marks: Any, tells: bool) -> int:
    """Pack an observation as `decode` reads it."""
    code = (probe * 2 + int(marks.record)) * 2 + int(marks.flip)
    code = ((code * 2 + int(marks.strange)) * 2 + int(broken > 0)) * 2 + int(broken > 1)
    code = ((code * 2 + int(marks.off_grid)) * 2 + int(marks.scattered)) * 2 + int(marks.remote)
    code = ((code * 2 + int(marks.low_margin)) * 2 + int(marks.routine)) * 2 + int(tells)
    return code * 2 + int(marks.aligned)


@borrowing
def observe(
    client: Any, z: Any, cells: Any, has_input: bool, label: int, scores: Any, margin: float,
    time_ms: int, p_value: float, broken: int, lens: Any,
) -> int:  # fmt: skip
    """Update one client's row with one query and return the packed observation.

    `client` is its `ClientRow`, z (d,) the scaled and cells (d,) the folded input, scores
    (c,) with NaN where absent, p_value that of the input being benign, `broken` as in
    `Reference.judge`.
    """
    stats = client.stats
    stats[_QUERIES] += 1
    stats[_TURN_GAIN] = 0.0
    follow_time(stats, time_ms)
    low = follow_margin(stats, margin, lens)
    probe, tells, level = _FIRST, False, 0
    marks = Marks(False, False, False, False, False, False, False, False, low, False)
    if has_input:
        level = broken
        probe, marks, tells = _look(client, z, cells, label, scores, p_value, broken, low, lens)
    else:
        stats[_VOLUME] += 1.0
    client.probes[probe] += 1
    stats[_STRANGE] += marks.strange
    stats[_BROKEN] += marks.broken
    stats[_OFF_GRID] += marks.off_grid
    stats[_SCATTERED] += marks.scattered
    stats[_FLIPS] += marks.flip and probe != _FAR
    stats[_RECORDS] += marks.record
    if label >= 0:
        count_fading(client.labels, label % len(client.labels))
    return _pack(probe, level, marks, tells)
