"""What is followed over a client's life: time, margins, best scores, probed records (compiled)."""

from typing import Any

import numpy as np

from detector.features.observation import Probe
from detector.features.state import Stat
from detector.kit.compiled import compiled

_STEP, _FAR = int(Probe.ONE_FIELD_STEP), int(Probe.FAR)
_FIRST_MS = int(Stat.FIRST_MS)
_LAST_MS = int(Stat.LAST_MS)
_GAP_MEAN = int(Stat.GAP_MEAN)
_GAP_SQUARE = int(Stat.GAP_SQUARE)
_SCORED = int(Stat.SCORED)
_MARGIN_SUM = int(Stat.MARGIN_SUM)
_LOW_MARGINS = int(Stat.LOW_MARGINS)
_MARGIN_RECENT = int(Stat.MARGIN_RECENT)
_RUN = int(Stat.RUN)
_PENDING = int(Stat.PENDING)
_ANCHORS = int(Stat.ANCHORS)

RECORD_WARM_UP = 8
ANCHOR_RUN = 8


@compiled
def follow_time(stats: Any, n: float, time_ms: int) -> None:
    """Take in the time of the n-th query; clocks that go back count as standing still."""
    if n == 1:
        stats[_FIRST_MS] = time_ms
    else:
        gap = max((time_ms - stats[_LAST_MS]) / 1000.0, 0.0)
        stats[_GAP_MEAN] += (gap - stats[_GAP_MEAN]) / (n - 1)
        stats[_GAP_SQUARE] += (gap * gap - stats[_GAP_SQUARE]) / (n - 1)
    stats[_LAST_MS] = max(time_ms, stats[_LAST_MS])


@compiled
def follow_margin(stats: Any, margin: float, lens: Any) -> bool:
    """Take in one margin; true when it is lower than the reference's 5% quantile."""
    if np.isnan(margin):
        return False
    stats[_SCORED] += 1
    stats[_MARGIN_SUM] += margin
    weight = max(0.05, 1.0 / stats[_SCORED])
    stats[_MARGIN_RECENT] += weight * (margin - stats[_MARGIN_RECENT])
    low = lens.calibrated == 1 and lens.low_margin >= 0.0 and margin < lens.low_margin
    stats[_LOW_MARGINS] += low
    return bool(low)


@compiled
def follow_records(
    scores: Any, n: float, stats: Any, peaks: Any, starts: Any, records: Any
) -> bool:
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
def count_anchors(probe: int, unnatural: bool, stats: Any) -> None:
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
