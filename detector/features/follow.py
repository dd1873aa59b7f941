"""What is followed over a client's life: time, volume, margins, best scores, bursts."""

from typing import Any

import numpy as np

from detector.features.state import Stat
from detector.kit.compiled import borrowing

_QUERIES = int(Stat.QUERIES)
_FIRST_MS = int(Stat.FIRST_MS)
_LAST_MS = int(Stat.LAST_MS)
_GAP_MEAN = int(Stat.GAP_MEAN)
_GAP_SQUARE = int(Stat.GAP_SQUARE)
_VOLUME = int(Stat.VOLUME)
_PEAK_VOLUME = int(Stat.PEAK_VOLUME)
_SCORED = int(Stat.SCORED)
_MARGIN_SUM = int(Stat.MARGIN_SUM)
_LOW_MARGINS = int(Stat.LOW_MARGINS)
_UNNATURAL = int(Stat.UNNATURAL)
_LAST_ROOT = int(Stat.LAST_ROOT)
_RUN = int(Stat.RUN)

RECORD_WARM_UP = 8
BURST_RUN = 6
VOLUME_SECONDS = 86_400.0
SCORE_STEPS = 60_000.0


@borrowing
def follow_time(stats: Any, time_ms: int) -> None:
    """Take in a query's time; clocks that go back count as standing still.

    The volume is the number of distinct queries, forgotten exponentially over a day.
    """
    n = stats[_QUERIES]
    if n == 1:
        stats[_FIRST_MS] = time_ms
    else:
        gap = max((time_ms - stats[_LAST_MS]) / 1000.0, 0.0)
        stats[_GAP_MEAN] += (gap - stats[_GAP_MEAN]) / (n - 1)
        stats[_GAP_SQUARE] += (gap * gap - stats[_GAP_SQUARE]) / (n - 1)
        stats[_VOLUME] *= np.exp(-gap / VOLUME_SECONDS)
    stats[_LAST_MS] = max(time_ms, stats[_LAST_MS])
    stats[_PEAK_VOLUME] = max(stats[_PEAK_VOLUME], stats[_VOLUME])


@borrowing
def follow_margin(stats: Any, margin: float, lens: Any) -> bool:
    """Take in one margin; true when it is lower than the reference's low quantile."""
    if np.isnan(margin):
        return False
    stats[_SCORED] += 1
    stats[_MARGIN_SUM] += margin
    low = lens.calibrated == 1 and lens.low_margin >= 0.0 and margin < lens.low_margin
    stats[_LOW_MARGINS] += low
    return bool(low)


@borrowing
def follow_records(scores: Any, stats: Any, peaks: Any, starts: Any, records: Any) -> bool:
    """Follow the highest score of each class among unnatural queries.

    True when the class that climbs most climbed. Scores are held in steps of 1 / 60,000.
    """
    stats[_UNNATURAL] += 1
    climbed = -1
    for c in range(len(scores)):
        if np.isnan(scores[c]):
            continue
        score = int(min(max(scores[c], 0.0), 1.0) * SCORE_STEPS) + 1
        if stats[_UNNATURAL] <= RECORD_WARM_UP:
            starts[c] = max(starts[c], score)
            peaks[c] = starts[c]
        elif score > peaks[c]:
            peaks[c] = score
            if records[c] < 255:
                records[c] += 1
            if climbed < 0 or records[c] > records[climbed]:
                climbed = c
    if climbed < 0:
        return False
    for c in range(len(records)):  # noqa: SIM110 - compiled code takes no generators
        if records[c] > records[climbed]:
            return False
    return True


@borrowing
def follow_burst(root: int, stats: Any) -> tuple[bool, bool]:
    """Follow the run of close queries about one record, `root`.

    Returns whether this query begins another run, and whether a long one went before.
    """
    if root == stats[_LAST_ROOT]:
        stats[_RUN] += 1
        return False, False
    tells = stats[_LAST_ROOT] > 0
    burst = stats[_RUN] >= BURST_RUN
    stats[_LAST_ROOT] = root
    stats[_RUN] = 1
    return tells, burst
