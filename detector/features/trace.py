"""The picture of a client's conspicuous queries, in which older ones fade (compiled).

What a client is after shows in these alone: a share of them does not shrink when ordinary queries
come between, nor by an ordinary life before.
"""

from typing import Any, NamedTuple

from detector.features import geometry
from detector.features.observation import Probe
from detector.features.state import KEPT, NATURAL_ROOT, Stat, Trace
from detector.kit.compiled import borrowing

_ONE_FIELD, _SEARCH, _STEP, _SYMMETRIC, _EQUAL = (
    int(p)
    for p in (
        Probe.ONE_FIELD, Probe.ONE_FIELD_SEARCH, Probe.ONE_FIELD_STEP, Probe.SYMMETRIC,
        Probe.EQUAL_STEP,
    )
)  # fmt: skip
_SUM, _LOCAL = int(Trace.SUM), int(Trace.LOCAL)
_STEPS = int(Trace.STEP)
_ONE, _SEARCHED = int(Trace.ONE_FIELD), int(Trace.SEARCH)
_FLIP, _SCATTERED = int(Trace.FLIP), int(Trace.SCATTERED)
_LONE, _ROUTINE = int(Trace.LONE), int(Trace.ROUTINE)
_SWITCH, _NATURAL_ROOT, _SAME_LABEL = (
    int(t) for t in (Trace.SWITCH, Trace.NATURAL_ROOT, Trace.SAME_LABEL)
)
_HOP, _LONE_SAME = int(Trace.HOP), int(Trace.LONE_SAME)
_RUN, _LAST_LABEL = int(Stat.RUN), int(Stat.LAST_LOCAL_LABEL)
_SPREAD = int(Trace.SPREAD)
_HOME, _NEW_HOME, _BEYOND = int(Trace.HOME), int(Trace.NEW_HOME), int(Trace.BEYOND)
_SPANNED = int(Trace.SPANNED)
_LAST_LONE = int(Stat.LAST_LONE_LABEL)
_KEPT, _ABOUT_NATURAL = KEPT, NATURAL_ROOT

FADING = 1.0 - 1.0 / 128.0


class Marks(NamedTuple):
    """What is conspicuous about a query; the attributes are those of `Observation`."""

    strange: bool
    broken: bool
    off_grid: bool
    scattered: bool
    remote: bool
    flip: bool
    record: bool
    routine: bool
    low_margin: bool
    aligned: bool


class Place(NamedTuple):
    """Where a conspicuous query stands among the remembered ones.

    Attributes:
        hop: Distance from the conspicuous query before, in shares of the fields' ranges.
        spread: The same from older ones.
        natural_root: Its family of close queries goes out from a natural record.
        home: Where it stands to its home.
    """

    hop: float
    spread: float
    natural_root: bool
    home: Any


@borrowing
def _hop(z: Any, last: int, held: Any, lens: Any) -> float:
    """Return the distance to the newest conspicuous query, in shares of the fields' ranges."""
    if last < 0:
        return 0.0
    return geometry.stride(z, held.queries[last], lens.span)


@borrowing
def _spread(z: Any, held: Any, lens: Any, otherwise: float) -> float:
    """Return the mean distance to older conspicuous queries; `otherwise` of fewer than 3."""
    total = 0.0
    count = 0
    for m in range(len(held.order) // 2, len(held.order)):
        if held.order[m] > 0 and held.marks[m] & _KEPT:
            total += geometry.stride(z, held.queries[m], lens.span)
            count += 1
    if count < 3:
        return otherwise
    return total / count


@borrowing
def place_of(z: Any, beside: Any, mark: int, home: Any, held: Any, lens: Any) -> Any:
    """Return where a conspicuous query stands."""
    hop = _hop(z, beside.last, held, lens)
    return Place(
        hop,
        _spread(z, held, lens, hop),
        (mark & _ABOUT_NATURAL) > 0,
        home,
    )


@borrowing
def _follow_local(probe: int, label: int, place: Any, flip: bool, stats: Any, trace: Any) -> None:
    """Count a query close to a remembered one."""
    trace[_LOCAL] += 1.0
    if probe <= _SYMMETRIC:
        trace[_STEPS + probe - _STEP] += 1.0
    trace[_FLIP] += flip
    trace[_SWITCH] += stats[_RUN] == 1
    trace[_NATURAL_ROOT] += place.natural_root
    trace[_SAME_LABEL] += label + 1 == stats[_LAST_LABEL]
    stats[_LAST_LABEL] = label + 1


@borrowing
def follow_trace(probe: int, label: int, place: Any, marks: Any, stats: Any, trace: Any) -> None:
    """Take in one conspicuous query."""
    for i in range(len(trace)):
        trace[i] *= FADING
    trace[_SUM] += 1.0
    trace[_SCATTERED] += marks.scattered
    trace[_ROUTINE] += marks.routine
    trace[_SPANNED] += marks.aligned and probe > _STEP
    trace[_HOP] += place.hop
    trace[_SPREAD] += place.spread
    trace[_HOME] += place.home.distance
    trace[_NEW_HOME] += place.home.new
    trace[_BEYOND] += place.home.beyond
    trace[_ONE] += _ONE_FIELD <= probe <= _SEARCH
    trace[_SEARCHED] += probe == _SEARCH
    if probe >= _EQUAL:
        trace[_LONE] += 1.0
        trace[_LONE_SAME] += label + 1 == stats[_LAST_LONE]
        stats[_LAST_LONE] = label + 1
    elif probe >= _STEP:
        _follow_local(probe, label, place, marks.flip, stats, trace)
