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
_SWEPT_FIELD = int(Stat.SWEPT_FIELD)
_SWEPT_VALUES = int(Stat.SWEPT_VALUES)
_SWEPT_RECORDS = int(Stat.SWEPT_RECORDS)
_REVALUES = int(Stat.REVALUES)
_UNTRIED = int(Stat.UNTRIED)

MIDPOINT_TOLERANCE = 0.02
# Of fewer steps, too few values could be chosen for the choice to tell.
MANY_STEPS = 8.0
# Under a reference, how often midpoints are hit by chance is told by habits made of its rows.
KNOWN_CHANCE = 4.0
# Half a step of the grid and a little, for the error of single precision.
ROUNDED = 0.51
# How finely values may be rounded, and how far multiples of a step are from whole numbers.
DECIMALS, STEP_SLACK, SINGLE = 4, 1e-4, 1.2e-7
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
def _comparable(x: float) -> Any:
    """Return a cell as one that equals itself: gaps too."""
    return np.float32(-3e38) if np.isnan(x) else np.float32(x)


@borrowing
def _all_known(sweep: Any, known: int, here: int) -> bool:
    """Whether all values of this record were tried on the one before."""
    for i in range(here):  # noqa: SIM110 - compiled code takes no generators
        if not _seen(sweep[0], known, sweep[1, i]):
            return False
    return True


@borrowing
def _same_values(sweep: Any, known: int, here: int) -> bool:
    """Whether the two records were tried with the same values, in whatever order."""
    return known == here and _all_known(sweep, known, here)


@borrowing
def _others(query: Any, field: int, values: Any, held: Any) -> int:
    """Put the values of a field that were tried in one record, as remembered; return how many.

    The record is that of a query: all queries that differ from it in the field alone.
    """
    count = 0
    for m in range(len(held.order)):
        if held.order[m] == 0 or count == len(values):
            continue
        changed, last, _ = geometry.compare(query, held.queries[m], 0.0)
        if changed == 0 or (changed == 1 and last == field):
            value = _comparable(held.queries[m, field])
            if not _seen(values, count, value):
                values[count] = value
                count += 1
    return count


@borrowing
def _record_before(z: Any, field: int, held: Any) -> int:
    """Return the newest remembered query of another record that a field was tried in, or -1.

    What differs in just one more field is the same record with another field tried.
    """
    newest = -1
    for m in range(len(held.order)):
        if held.order[m] == 0 or (newest >= 0 and held.order[m] < held.order[newest]):
            continue
        if geometry.compare(z, held.queries[m], np.inf)[0] <= 2:
            continue
        for k in range(len(held.order)):
            if held.order[k] == 0:
                continue
            changed, last, _ = geometry.compare(held.queries[m], held.queries[k], 0.0)
            if changed == 1 and last == field:
                newest = m
                break
    return newest


@borrowing
def _turn(z: Any, field: int, stats: Any, sweep: Any, held: Any) -> tuple[bool, bool]:
    """Turn to the record or the field of a query where it is another; return as `follow_sweep`.

    Searches and sweeps may run side by side and fields take turns: what was tried in the record is
    looked up in the memory, and after another field what was tried in the record before as well.
    """
    digest = _base_hash(z, field)
    tells, speaks = False, False
    if stats[_SWEEP_FIELD] != field + 1:
        before = _record_before(z, field, held)
        known = _others(held.queries[before], field, sweep[0], held) if before >= 0 else 0
        stats[_SWEEP_FIELD] = field + 1
        stats[_SWEEP_KNOWN] = known
        stats[_SWEEP_BASES] = 1 + (before >= 0)
    elif stats[_SWEEP_BASE] != digest:
        known, here = int(stats[_SWEEP_KNOWN]), int(stats[_SWEEP_HERE])
        if 2 <= known < FEW_VALUES:
            tells, speaks = True, _same_values(sweep, known, here)
        for i in range(SWEEP_VALUES):
            sweep[0, i] = sweep[1, i]
        stats[_SWEEP_KNOWN] = here
        stats[_SWEEP_BASES] += 1
    else:
        return False, False
    stats[_SWEEP_BASE] = digest
    stats[_SWEEP_HERE] = _others(z, field, sweep[1], held)
    return tells, speaks


@borrowing
def _note_sweep(field: int, values: int, stats: Any) -> None:
    """Note that a field was tried with the same values on one more record.

    What is known of another field gives way to a longer series without any other field between.
    """
    if stats[_SWEPT_FIELD] == field + 1:
        stats[_SWEPT_RECORDS] += 1
        stats[_SWEPT_VALUES] = max(stats[_SWEPT_VALUES], float(values))
    elif stats[_SWEEP_BASES] > stats[_SWEPT_RECORDS]:
        stats[_SWEPT_FIELD] = field + 1
        stats[_SWEPT_RECORDS] = stats[_SWEEP_BASES]
        stats[_SWEPT_VALUES] = values


@borrowing
def follow_sweep(
    z: Any, field: int, searching: bool, stats: Any, sweep: Any, held: Any
) -> tuple[bool, bool]:
    """Follow a field that takes value after value on record after record.

    `sweep` holds the values tried on the record before and on this one. Returns whether this query
    tells a sweep from a person trying things, and whether it speaks for a sweep. A field of many
    values tells with each of them: was it tried on the record before? One of few values tells when
    a record is done: was it tried with just the values of the record before? Searches of a field
    begin alike in all records: where one would look, a value tells only among many, and only if all
    before it were tried, too.
    """
    stats[_UNTRIED] = 0.0
    tells, speaks = _turn(z, field, stats, sweep, held)
    if searching:
        tells, speaks = False, False
    values = int(stats[_SWEEP_KNOWN])
    fresh = speaks
    value, here = _comparable(z[field]), int(stats[_SWEEP_HERE])
    if not _seen(sweep[1], here, value):
        if values >= FEW_VALUES:
            tells = True
            speaks = _seen(sweep[0], values, value)
            if searching and not _all_known(sweep, values, here):
                tells, speaks = False, False
            fresh = speaks and here + 1 == FEW_VALUES
        if here < SWEEP_VALUES:
            sweep[1, here] = value
            stats[_SWEEP_HERE] += 1
    if speaks:
        stats[_REVALUES] += 1
    if fresh:
        _note_sweep(field, values, stats)
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
def _tells(extent: float, grid: float, one_in: float) -> bool:
    """Whether at most one in so many values of an interval passes for its midpoint.

    A searcher may have to round to the grid, and values on one are few.
    """
    tolerance = max(MIDPOINT_TOLERANCE * extent, ROUNDED * grid)
    return bool(one_in * (2.0 * tolerance + grid) <= extent)


@borrowing
def _halves(x: float, low: float, high: float, grid: float, one_in: float) -> bool:
    """Whether x halves the interval, and does not do so by chance."""
    if low == -np.inf or high == np.inf or not _tells(high - low, grid, one_in):
        return False
    tolerance = max(MIDPOINT_TOLERANCE * (high - low), ROUNDED * grid)
    return bool(abs(x - 0.5 * (low + high)) <= tolerance)


@borrowing
def _on_step(x: float, step: float) -> bool:
    """Whether a number is a multiple of a decimal step, as far as single precision tells."""
    multiple = x / step
    return bool(abs(multiple - np.round(multiple)) <= STEP_SLACK + SINGLE * abs(multiple))


@borrowing
def _decimal_step(x: float, y: float, low: float, high: float) -> float:
    """Return the coarsest decimal step that four numbers lie on, infinite ones apart; or 0.

    That is how they are rounded where no reference tells.
    """
    step = 1.0
    for _ in range(DECIMALS + 1):
        rounded = _on_step(x, step) and _on_step(y, step)
        rounded = rounded and (low == -np.inf or _on_step(low, step))
        if rounded and (high == np.inf or _on_step(high, step)):
            return step
        step /= 10.0
    return 0.0


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
def _between(x: float, before: float, grid: float, one_in: float, tried: Any) -> int:
    """Tell a value that halves an interval between values tried with all else equal.

    `before` is the newest of these. The oldest may be the record's own, which a searcher of the
    whole range passes over; then the interval must end at the newest, or any round values about the
    record's would do. `grid` is the field's natural step in scaled units; at most one in `one_in`
    of the values between may pass for a midpoint.
    """
    low, high, own = tried
    if before in (low, high) and _halves(x, low, high, grid, one_in):
        return _SEARCH
    if own < x:
        low = max(low, own)
    elif own > x:
        high = min(high, own)
    if _halves(x, low, high, grid, one_in):
        return _SEARCH
    return _ONE_FIELD if _tells(high - low, grid, one_in) else _CHOICE


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
    if lens.calibrated == 1:
        gridless = lens.grid[field] < COARSE * lens.scale[field]
    else:
        rounded = _decimal_step(np.float64(x), np.float64(y), -np.inf, np.inf)
        gridless = 2.0 * MANY_STEPS * rounded <= step
    moved = stats[_LAST_ONE_FIELD] != field + 1
    stats[_LAST_ONE_FIELD] = field + 1
    stats[_LAST_ONE_STEP] = raw_step
    stats[_LAST_ONE_PART] = part
    end = _at_end(x, y, lens.ends[field])
    if moved and (off or (same and gridless and end != _SEARCH)):
        return _STEP
    # Who leaves the grid chooses among more values than there are on it.
    grid = 0.0 if off else lens.grid[field] / lens.scale[field]
    if lens.span[field] < MANY_STEPS * grid:
        return _CHOICE
    if end == _SEARCH:
        return _SEARCH
    tried = _tried(z, field, memory, order)
    if lens.calibrated == 0:
        grid = _decimal_step(np.float64(x), np.float64(y), tried[0], tried[1])
    one_in = KNOWN_CHANCE if lens.calibrated == 1 else MANY_STEPS
    between = _between(np.float64(x), np.float64(y), grid, one_in, tried)
    return end if between == _ONE_FIELD else between
