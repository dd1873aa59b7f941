"""How a query relates to its client's remembered ones (compiled)."""

from typing import Any, NamedTuple

import numpy as np

from detector.features import geometry
from detector.features.estimate import (
    CHANGES,
    ESTIMATE,
    NOTHING,
    SQUARES,
    project_all,
    resemble_all,
)
from detector.features.observation import Probe
from detector.features.search import follow_sweep, leaves_record, one_field_probe
from detector.features.state import KEPT, Stat
from detector.features.structure import closes_cross, closes_pair, line_or_mirror, older_natural
from detector.features.turns import follow_turns
from detector.kit.compiled import borrowing

_FIRST, _REPEAT, _SEARCH, _SYMMETRIC, _FIXED, _NEAR, _EQUAL, _FAR = (
    int(probe)
    for probe in (
        Probe.FIRST, Probe.REPEAT, Probe.ONE_FIELD_SEARCH, Probe.SYMMETRIC, Probe.FIXED_STEP,
        Probe.NEAR, Probe.EQUAL_STEP, Probe.FAR,
    )
)  # fmt: skip
_NEAREST_COUNT = int(Stat.NEAREST_COUNT)
_NEAREST_SUM = int(Stat.NEAREST_SUM)
_LAST_STEP = int(Stat.LAST_STEP)
_LAST_ONE_FIELD = int(Stat.LAST_ONE_FIELD)
_TURN_GAIN = int(Stat.TURN_GAIN)
_KEPT = KEPT
_SQUARES, _CHANGES = SQUARES, CHANGES

MIN_FIELDS = 3
LEAST_FIELDS, LEAST_ROUNDED = 3, 6


class Neighbours(NamedTuple):
    """Memory slots beside a query, -1 where there is none.

    Attributes:
        equal: An equal query.
        one: The newest query that differs in one field.
        field: That field.
        nearest: The nearest query that differs.
        newest: The newest query.
        last: The newest conspicuous query.
        distance: Scaled distance of the nearest query.
    """

    equal: int
    one: int
    field: int
    nearest: int
    newest: int
    last: int
    distance: float


class Relation(NamedTuple):
    """How a query relates to the memory.

    Attributes:
        probe: As in `Probe`.
        base: The slot that it goes out from, or -1.
        routine, tells: As in `Observation`.
        crossed: One field changes, about the centre of a pair of changes in another.
    """

    probe: int
    base: int
    routine: bool
    tells: bool
    crossed: bool


@borrowing
def neighbours(z: Any, held: Any, room: Any) -> Any:
    """Compare z with all remembered queries."""
    equal, one, one_field, nearest, newest, last = -1, -1, -1, -1, -1, -1
    order = held.order
    bound = resemble_all(z, held.queries, order, room)
    smallest = np.inf
    for m in range(len(order)):
        if order[m] == 0:
            continue
        if newest < 0 or order[m] > order[newest]:
            newest = m
        if held.marks[m] & _KEPT and (last < 0 or order[m] > order[last]):
            last = m
        changed = room[_CHANGES, m]
        if changed == 0:
            equal = m
        # Few are near enough to be the nearest: only these are measured to the last digit.
        elif changed == 1 or room[_SQUARES, m] <= bound:
            _, field, square = geometry.compare(z, held.queries[m], smallest)
            if changed == 1 and (one < 0 or order[m] > order[one]):
                one = m
                one_field = field
            if square < smallest:
                smallest = square
                nearest = m
    return Neighbours(equal, one, one_field, nearest, newest, last, np.sqrt(smallest))


@borrowing
def lies_apart(z: Any, held: Any, limit: float, room: Any) -> bool:
    """Return whether the mean squared distance to the remembered queries is beyond the limit.

    The estimates that `neighbours` left in the room tell, but where they are too close to it.
    """
    total = 0.0
    count = 0
    for m in range(len(held.order)):
        if held.order[m] > 0:
            total += room[_SQUARES, m]
            count += 1
    mean = total / count
    if abs(mean - limit) > 3.0 * ESTIMATE * mean + NOTHING:
        return mean > limit
    return geometry.apartness(z, held.queries, held.order) > limit


@borrowing
def _is_new(x: float, field: int, held: Any) -> bool:
    """Whether no remembered query has this value of a field."""
    for m in range(len(held.order)):
        if held.order[m] > 0 and held.queries[m, field] == x:
            return False
    return True


@borrowing
def _few_are_new(z: Any, held: Any) -> bool:
    """Whether fewer numbers are new to the client than a structure needs: its values repeat."""
    new = 0
    for j in range(len(z)):
        new += geometry.is_number(z[j]) and _is_new(z[j], j, held)
    return new < max(2, min(LEAST_FIELDS, len(z) - 1))


@borrowing
def least_fields(z: Any, held: Any, lens: Any, off_grid: bool, broken: int) -> int:
    """Return how many numbers a structure must take part in; 0: structures do not count.

    Rounded values stand on lines and mirrors by chance: where benign values are rounded, a
    structure counts among values that are not, or in many fields of rows that are broken. Without
    a reference, values that repeat are the rounded ones.
    """
    if lens.calibrated == 0:
        return 0 if _few_are_new(z, held) else LEAST_FIELDS
    if lens.gridded == 0 or off_grid:
        return LEAST_FIELDS
    return LEAST_ROUNDED if broken > 0 else 0


@borrowing
def _several_fields(
    z: Any, line: Any, beside: Any, least: int, lens: Any, held: Any, stats: Any
) -> tuple[int, int]:
    """Return (probe, memory slot it goes out from) of a query that changes several fields.

    A structure counts when at least `least` numbers take part in it, and with 0 never.
    """
    nearest, newest, distance = beside.nearest, beside.newest, beside.distance
    memory, lines, order = held.queries, held.lines, held.order
    stats[_NEAREST_COUNT] += 1
    stats[_NEAREST_SUM] += min(distance, 100.0)
    near = lens.calibrated == 1 and distance < lens.near
    same = abs(distance - stats[_LAST_STEP]) <= 1e-3 * distance
    if lens.calibrated == 1 and distance < lens.typical:
        stats[_LAST_STEP] = distance
    if least > 0:
        noise, room = lens.rounded, lens.room
        project_all(line[0], line[1], lines, order, room)
        kind, j, k = line_or_mirror(z, line[0], line[1], noise, least, memory, lines, order, room)
        if kind >= 0:
            return kind, older_natural(j, k, order, held.marks)
        if closes_pair(
            z, line[0], line[1], lens.span, noise, least, memory, lines, order, newest, room
        ):
            return _SYMMETRIC, newest
        if same and least == LEAST_FIELDS and distance < lens.typical:
            return _FIXED if near else _EQUAL, nearest
    if near:
        return _NEAR, nearest
    return _FAR, -1


@borrowing
def relate(
    z: Any, cells: Any, line: Any, least: int, beside: Any, lens: Any, held: Any, stats: Any,
    sweep: Any, turns: Any,
) -> Any:  # fmt: skip
    """Return the relation of a query to its neighbours, and follow searches, sweeps and turns."""
    if beside.equal >= 0:
        return Relation(_REPEAT, beside.equal, False, False, False)
    if beside.one >= 0 and len(z) >= MIN_FIELDS:
        base = held.queries[beside.one]
        if stats[_LAST_ONE_FIELD] != beside.field + 1:
            stats[_TURN_GAIN] = follow_turns(beside.field, len(z), turns)
        probe = one_field_probe(z, cells, beside.field, base, held.queries, held.order, stats, lens)
        tells, routine = follow_sweep(z, beside.field, probe == _SEARCH, stats, sweep, held)
        crossed = lens.calibrated == 1 and closes_cross(
            z, cells, beside.field, base, lens, held.queries, held.order
        )
        return Relation(probe, beside.one, routine, tells, crossed)
    if beside.nearest >= 0:
        tells = leaves_record(stats)
        probe, slot = _several_fields(z, line, beside, least, lens, held, stats)
        return Relation(probe, slot, False, tells, False)
    return Relation(_FIRST, -1, False, False, False)
