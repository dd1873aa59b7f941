"""The picture of a client's conspicuous queries, in which older ones fade (compiled).

What a client is after shows in these alone: a share of them does not shrink when ordinary queries
come between, nor by an ordinary life before.
"""

from typing import Any

import numpy as np

from detector.features.observation import Probe
from detector.features.state import Stat, Trace
from detector.kit.compiled import compiled

_ONE_FIELD, _SEARCH, _STEP, _EQUAL, _FAR = (
    int(p)
    for p in (
        Probe.ONE_FIELD, Probe.ONE_FIELD_SEARCH, Probe.ONE_FIELD_STEP, Probe.EQUAL_STEP, Probe.FAR,
    )
)  # fmt: skip
_SUM, _LOCAL = int(Trace.SUM), int(Trace.LOCAL)
_STEPS = int(Trace.STEP)
_ONE, _SEARCHED = int(Trace.ONE_FIELD), int(Trace.SEARCH)
_FLIP, _STRANGE, _BROKEN, _OFF_GRID, _SCATTERED = (
    int(t) for t in (Trace.FLIP, Trace.STRANGE, Trace.BROKEN, Trace.OFF_GRID, Trace.SCATTERED)
)
_LONE, _RECORD, _ROUTINE = int(Trace.LONE), int(Trace.RECORD), int(Trace.ROUTINE)
_SWITCH, _NATURAL_ROOT, _SAME_LABEL = (
    int(t) for t in (Trace.SWITCH, Trace.NATURAL_ROOT, Trace.SAME_LABEL)
)
_CHANGED, _ANCHOR = int(Trace.CHANGED), int(Trace.ANCHOR)
_DISTANCE, _SQUARE = int(Trace.DISTANCE), int(Trace.DISTANCE_SQUARE)
_HOP, _LONE_HOP, _LONE_SAME = int(Trace.HOP), int(Trace.LONE_HOP), int(Trace.LONE_SAME)
_RUN, _LAST_LABEL = int(Stat.RUN), int(Stat.LAST_LOCAL_LABEL)
_SPREAD, _NEW_RECORD, _LOW_MARGIN = (
    int(t) for t in (Trace.SPREAD, Trace.NEW_RECORD, Trace.LOW_MARGIN)
)
_LAST_LONE = int(Stat.LAST_LONE_LABEL)

FADING = 1.0 - 1.0 / 128.0


@compiled
def _follow_local(
    probe: int, label: int, share: float, distance: float, anchor: bool,
    natural_root: bool, flip: bool, stats: Any, trace: Any,
) -> None:  # fmt: skip
    """Count a query close to a remembered one."""
    trace[_LOCAL] += 1.0
    trace[_STEPS + probe - _STEP] += 1.0
    trace[_FLIP] += flip
    trace[_SWITCH] += stats[_RUN] == 1
    trace[_NATURAL_ROOT] += natural_root
    trace[_SAME_LABEL] += label + 1 == stats[_LAST_LABEL]
    trace[_CHANGED] += share
    trace[_ANCHOR] += anchor
    size = np.log(max(distance, 1e-9))
    trace[_DISTANCE] += size
    trace[_SQUARE] += size * size
    stats[_LAST_LABEL] = label + 1


@compiled
def follow_trace(
    probe: int, label: int, share: float, distance: float, hop: float, spread: float,
    fresh: bool, low_margin: bool, anchor: bool, natural_root: bool, strange: bool, broken: bool, off_grid: bool, scattered: bool, flip: bool,
    record: bool, routine: bool, stats: Any, trace: Any,
) -> None:  # fmt: skip
    """Take in one conspicuous query.

    `share` of its fields changed at that scaled `distance` from the nearest query; `hop` is the
    distance from the conspicuous query before, `spread` that from older ones; `fresh`: it follows
    directly on a natural, unrelated query.
    """
    for i in range(len(trace)):
        trace[i] *= FADING
    trace[_SUM] += 1.0
    trace[_STRANGE] += strange
    trace[_BROKEN] += broken
    trace[_OFF_GRID] += off_grid
    trace[_SCATTERED] += scattered
    trace[_RECORD] += record
    trace[_ROUTINE] += routine
    trace[_HOP] += hop
    trace[_SPREAD] += spread
    trace[_NEW_RECORD] += fresh
    trace[_LOW_MARGIN] += low_margin
    trace[_ONE] += _ONE_FIELD <= probe <= _SEARCH
    trace[_SEARCHED] += probe == _SEARCH
    if probe >= _EQUAL:
        trace[_LONE] += 1.0
        trace[_LONE_HOP] += hop
        trace[_LONE_SAME] += label + 1 == stats[_LAST_LONE]
        stats[_LAST_LONE] = label + 1
    elif probe >= _STEP:
        _follow_local(probe, label, share, distance, anchor, natural_root, flip, stats, trace)
