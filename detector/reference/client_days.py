"""A client's day as the drift alarm hears of it: the mean p-value of its first inputs (compiled).

Nobody counts for more by asking more, and the sum is kept in the client's row: a client that leaves
the table and comes back on the same day begins it anew.
"""

from typing import Any

import numpy as np

from detector.kit.compiled import borrowing

QUERIES = 8
DAY_MS = 86_400_000
# Columns of a client's day: its number since 1970, inputs counted, and the sum of their p-values.
DAY, COUNT, SUM = range(3)
DAY_WIDTH = 3


@borrowing
def follow_day(state: Any, time_ms: int, p_value: float) -> float:
    """Take in an input; return the day's mean when it is the last that counts, else NaN."""
    day = time_ms // DAY_MS
    if state[DAY] != day:
        state[DAY] = day
        state[COUNT] = 0.0
        state[SUM] = 0.0
    if state[COUNT] >= QUERIES:
        return np.nan
    state[COUNT] += 1.0
    state[SUM] += p_value
    return float(state[SUM] / QUERIES) if state[COUNT] == QUERIES else np.nan
