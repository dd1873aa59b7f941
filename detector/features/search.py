"""One field at a time: searches, steps and sweeps (compiled)."""

from typing import Any

import numpy as np

from detector.features import geometry
from detector.features.geometry import is_number
from detector.features.observation import Probe
from detector.features.state import SWEEP_VALUES, Stat
from detector.kit.compiled import borrowing

_ONE_FIELD, _CHOICE, _SEARCH, _STEP = (
    int(p)
    for p in (
        Probe.ONE_FIELD, Probe.ONE_FIELD_CHOICE, Probe.ONE_FIELD_SEARCH, Probe.ONE_FIELD_STEP
    )
)  # fmt: skip
_LAST_ONE_FIELD = int(Stat.LAST_ONE_FIELD)
_LAST_ONE_STEP = int(Stat.LAST_ONE_STEP)
_LAST_ONE_PART = int(Stat.LAST_ONE_PART)
_SWEEP_FIELD = int(Stat.SWEEP_FIELD)
_SWEEP_BASE = int(Stat.SWEEP_BASE)
_SWEEP_KNOWN = int(Stat.SWEEP_KNOWN)
_SWEEP_HERE = int(Stat.SWEEP_HERE)
_SWEEP_BASES = int(Stat.SWEEP_BASES)
_REVALUES = int(Stat.REVALUES)
_UNTRIED = int(Stat.UNTRIED)

MIDPOINT_TOLERANCE = 0.02
# Of fewer steps, too few values could be chosen for the choice to tell.
MANY_STEPS = 8.0
FEW_VALUES = 4
# A field that benign queries leave out so often is no search's when it is left out: whoever tries
# a field's usual values leaves it out now and then too.
USUAL_GAPS = 0.001
COARSE = 0.005
# A reference knows the ranges that an attacker steps by only nearly.
SAME_PART = 0.04


@borrowing
def _seen(values: Any, count: float, value: float) -> bool:
    for i in range(int(count)):  # noqa: SIM110 - compiled code takes no generators
        if values[i] == value:
            return True
    return False


@borrowing
def _base_hash(z: Any, field: int) -> float:
    """Return a number that two records share when they agree in all fields but one."""
    total = 0.0
    for j in range(len(z)):
        if j != field:
            total += geometry.as_number(z[j], 0.7) * np.cos(0.3 + 1.7 * j)
    return total + field * 1e-3


@borrowing
def _same_values(sweep: Any, known: int, here: int) -> bool:
    """Whether the two records were tried with the same values, in whatever order."""
    if known != here:
        return False
    for i in range(here):  # noqa: SIM110 - compiled code takes no generators
        if not _seen(sweep[0], known, sweep[1, i]):
            return False
    return True


@borrowing
def follow_sweep(z: Any, field: int, stats: Any, sweep: Any, base: Any) -> tuple[bool, bool]:
    """Follow a field that takes value after value on record after record.

    `sweep` holds the values tried on the record before and on this one. Returns whether this query
    tells a sweep from a person trying things, and whether it speaks for a sweep. A field of many
    values tells with each of them: was it tried on the record before? One of few values tells when
    a record is done: was it tried with just the values of the record before?
    """
    digest = _base_hash(z, field)
    if stats[_SWEEP_FIELD] != field + 1:
        stats[_SWEEP_FIELD] = field + 1
        stats[_SWEEP_KNOWN] = 0
        stats[_SWEEP_HERE] = 0
        stats[_SWEEP_BASES] = 0
        stats[_SWEEP_BASE] = np.nan
    stats[_UNTRIED] = 0.0
    tells = False
    speaks = False
    if stats[_SWEEP_BASE] != digest:
        known, here = int(stats[_SWEEP_KNOWN]), int(stats[_SWEEP_HERE])
        if 2 <= known < FEW_VALUES:
            tells = True
            speaks = _same_values(sweep, known, here)
        for i in range(SWEEP_VALUES):
            sweep[0, i] = sweep[1, i]
        stats[_SWEEP_KNOWN] = here
        stats[_SWEEP_BASE] = digest
        stats[_SWEEP_BASES] += 1
        stats[_SWEEP_HERE] = 1
        sweep[1, 0] = np.float32(-3e38) if np.isnan(base[field]) else base[field]
    value = np.float32(-3e38) if np.isnan(z[field]) else z[field]
    here = int(stats[_SWEEP_HERE])
    if not _seen(sweep[1], here, value):
        if stats[_SWEEP_KNOWN] >= FEW_VALUES:
            tells = True
            speaks = _seen(sweep[0], stats[_SWEEP_KNOWN], value)
        if here < SWEEP_VALUES:
            sweep[1, here] = value
            stats[_SWEEP_HERE] += 1
    if speaks:
        stats[_REVALUES] += 1
    return tells, speaks


@borrowing
def leaves_record(stats: Any) -> bool:
    """Note that a query brings a new record; true when the one before was left untried.

    That speaks against a sweep of few values, where any two records that are tried look alike.
    """
    untried = stats[_UNTRIED] > 0 and 2 <= stats[_SWEEP_KNOWN] < FEW_VALUES
    stats[_UNTRIED] = 1.0
    return bool(untried)


@borrowing
def _halves(x: float, low: float, high: float, grid: float) -> bool:
    """Whether x halves the interval; a searcher may have to round to the grid."""
    if low == -np.inf or high == np.inf:
        return False
    tolerance = MIDPOINT_TOLERANCE * (high - low)
    if high - low >= MANY_STEPS * grid:
        tolerance = max(tolerance, 0.51 * grid)
    return bool(abs(x - 0.5 * (low + high)) <= tolerance)


@borrowing
def _tried(z: Any, field: int, memory: Any, order: Any) -> tuple[float, float, float]:
    """Return (next value below, next above, oldest) of the others tried with all else equal.

    The oldest is not among the other two, which are infinite where there is none.
    """
    low, high, own = -np.inf, np.inf, np.nan
    oldest = 0
    for m in range(len(order)):
        if order[m] == 0 or not is_number(memory[m, field]):
            continue
        changed, last, _ = geometry.compare(z, memory[m], 0.0)
        if changed != 1 or last != field:
            continue
        y: float = np.float64(memory[m, field])
        if oldest == 0 or order[m] < oldest:
            y, own, oldest = own, y, order[m]
        if y < z[field]:
            low = max(low, y)
        elif y > z[field]:
            high = min(high, y)
    return low, high, own


@borrowing
def _between(x: float, before: float, grid: float, tried: Any) -> int:
    """Tell a value that halves an interval between values tried with all else equal.

    `before` is the newest of these. The oldest may be the record's own, which a searcher of the
    whole range passes over; then the interval must end at the newest, or any round values about the
    record's would do. `grid` is the field's natural step in scaled units.
    """
    low, high, own = tried
    if before in (low, high) and _halves(x, low, high, grid):
        return _SEARCH
    if own < x:
        low = max(low, own)
    elif own > x:
        high = min(high, own)
    if _halves(x, low, high, grid):
        return _SEARCH
    return _CHOICE if high - low < MANY_STEPS * grid else _ONE_FIELD


@borrowing
def _at_end(x: float, y: float, ends: Any) -> int:
    """Tell a step from y to an end of the range, where a search begins.

    One from beyond the quartile next to the end is a search's; benign values are near it by chance.
    """
    if (x <= ends[0] and y >= ends[1]) or (x >= ends[3] and y <= ends[2]):
        return _SEARCH
    return _CHOICE if x <= ends[0] or x >= ends[3] else _ONE_FIELD


@borrowing
def _off_grid(raw: float, field: int, lens: Any) -> bool:
    grid = lens.grid[field]
    if grid <= 0.0:
        return False
    multiple = (raw - lens.origin[field]) / grid
    slack = lens.slack[field] * max(1.0, abs(multiple) * 1e-6)
    return abs(multiple - np.round(multiple)) > slack


@borrowing
def leaves_grid(cells: Any, lens: Any) -> bool:
    """Whether two numbers are off the grid that all benign values of their fields keep.

    One alone may be a client's new habit, unless only one number could be off: zeros lie on every
    grid, and clipped or sparse inputs are full of them.
    """
    off = 0
    able = 0
    for j in range(len(cells)):
        if is_number(cells[j]) and cells[j] != 0.0 and lens.grid[j] > 0.0:
            able += 1
            off += _off_grid(cells[j], j, lens)
    return off > 0 and off >= min(2, able)


@borrowing
def one_field_probe(
    z: Any, cells: Any, field: int, base: Any, memory: Any, order: Any, stats: Any, lens: Any
) -> int:
    """Tell an ordinary one-field change from a searching one and from a step field by field.

    The ends of ranges lie at equal parts of them in every field, and are no steps for that.
    """
    x, y = z[field], base[field]
    if np.isnan(x) != np.isnan(y):
        stats[_LAST_ONE_FIELD] = field + 1
        return _CHOICE if lens.missing[field] >= USUAL_GAPS else _SEARCH
    if not (is_number(x) and is_number(y)):
        stats[_LAST_ONE_FIELD] = field + 1
        return _CHOICE
    step = abs(np.float64(x) - y)
    off = lens.calibrated == 1 and _off_grid(cells[field], field, lens)
    raw_step = step * lens.scale[field]
    part = step / lens.span[field]
    same = abs(raw_step - stats[_LAST_ONE_STEP]) <= 0.01 * raw_step + 1e-12
    same = same or abs(part - stats[_LAST_ONE_PART]) <= SAME_PART * part
    gridless = lens.calibrated == 0 or lens.grid[field] < COARSE * lens.scale[field]
    moved = stats[_LAST_ONE_FIELD] != field + 1
    stats[_LAST_ONE_FIELD] = field + 1
    stats[_LAST_ONE_STEP] = raw_step
    stats[_LAST_ONE_PART] = part
    end = _at_end(x, y, lens.ends[field])
    if moved and (off or (same and gridless and end != _SEARCH)):
        return _STEP
    grid = lens.grid[field] / lens.scale[field]
    if lens.span[field] < MANY_STEPS * grid:
        return _CHOICE
    if end == _SEARCH:
        return _SEARCH
    between = _between(np.float64(x), np.float64(y), grid, _tried(z, field, memory, order))
    return end if between == _ONE_FIELD else between
