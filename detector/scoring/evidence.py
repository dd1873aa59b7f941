"""Evidence that accumulates over a client's life: an e-process for each sign.

With every query the evidence grows by the log ratio of two predictive probabilities of what was
seen: under the attackers' Beta distribution and under the benign clients'. Both mixtures learn from
the client's own queries, so the product is a likelihood ratio of exchangeable models, and under the
benign one its expectation never exceeds 1 (Ville 1939; Ramdas et al. 2023, "Game-theoretic
statistics and safe anytime-valid inference"). It starts afresh when it falls below 1; the k-th
start counts with the weight 1 / ((k + 1)(k + 2)), and because these weights sum to 1 the best
weighted start is an e-process too: a benign client ever reaches c with a probability of 1 / c.
"""

from typing import Any

import numpy as np
from numba import literal_unroll

from detector.features.observe import observe
from detector.features.state import Stat
from detector.kit.compiled import borrowing
from detector.kit.prefetch import prefetch, prefetch_part
from detector.reference.client_days import follow_day
from detector.scoring.profiles import note

MAX_STAGES = 2
# Columns of the evidence array: queries at or above each level, then these.
LOG_E, RESTARTS = range(MAX_STAGES + 1, MAX_STAGES + 3)
WIDTH = MAX_STAGES + 3
# Columns of the verdict array: the query from which to judge again and that from which to report
# again, the signs that were credible as bits, and the number of the hypothesis that stands, from 1.
LOOK, DUE, FIRED, STANDING = range(4)
VERDICT = 4
# Columns of a stage: benign a and b, attack a and b, floor.
STAGE_WIDTH = 5
# Events between asking for a row and using it: enough for memory, too few to push others out.
AHEAD = 2
_QUERIES = int(Stat.QUERIES)
_VOLUME = int(Stat.VOLUME)
_TURN_GAIN = int(Stat.TURN_GAIN)


@borrowing
def _cost(restarts: float) -> float:
    """Return what the k-th start costs: minus the log of its weight."""
    return float(np.log((restarts + 1.0) * (restarts + 2.0)))


@borrowing
def weighted(state: Any) -> float:
    """Return the weighted log e-value of one sign."""
    return float(state[LOG_E] - _cost(state[RESTARTS]))


@borrowing
def weigh(state: Any, level: int, stages: Any, count: int) -> float:
    """Update one sign of one client with one query; return its weighted log e-value."""
    if level >= 0:
        learn(state, level, stages, count)
    return float(weighted(state))


@borrowing
def learn(state: Any, level: int, stages: Any, count: int) -> None:
    """Update one sign of one client with one query of a level."""
    gain = 0.0
    for j in range(min(level + 1, count)):
        trials = state[j]
        hits = state[j + 1]
        a, b, attack_a, attack_b, floor = stages[j]
        benign = (a + hits) / (a + b + trials)
        attack = max((attack_a + hits) / (attack_a + attack_b + trials), floor)
        if level > j:
            gain += np.log(attack / benign)
        else:
            gain += np.log((1.0 - attack) / (1.0 - benign))
    for j in range(level + 1):
        state[j] += 1.0
    grow(state, gain)


@borrowing
def grow(state: Any, gain: float) -> None:
    """Add to the log evidence of a sign, or start it afresh."""
    state[LOG_E] += gain
    if state[LOG_E] < 0.0:
        for j in range(LOG_E + 1):
            state[j] = 0.0
        state[RESTARTS] += 1.0


@borrowing
def _reaches(state: Any, threshold: float) -> bool:
    """Whether the weighted value is at the threshold; restarts never add, so few are weighted."""
    return bool(state[LOG_E] >= threshold and weighted(state) >= threshold)


@borrowing
def tail(value: float, center: float, spread: float) -> float:
    """Return minus the log of an upper bound of a log-normal tail at `value` (Mill's ratio)."""
    z = (np.log(max(value, 1.0)) - center) / spread
    return float(0.5 * z * z + np.log(max(2.5066283 * z, 2.0))) if z > 0.0 else 0.0


@borrowing
def _expect(row: int, table: Any, judged: Any) -> None:
    """Have a client's row brought near, but for the queries that it remembers.

    Of many clients most are far away, and each small part that is missed costs as much as a large.
    """
    for rows in literal_unroll(table[1:]):
        prefetch(rows, row)
    for rows in literal_unroll(judged):
        prefetch(rows, row)


@borrowing
def score(
    begin: int, rows: Any, z: Any, batch: Any, lens: Any, table: Any, judged: Any, offsets: Any,
    tables: Any, days: Any, regions: int, profiles: Any,
) -> tuple[int, int]:  # fmt: skip
    """Observe and weigh events from `begin` on, up to the first that wants attention.

    `batch` is (cells, has_input, labels, scores, margins, time_ms, p_values, broken), `table` and
    `judged` are the arrays of `ClientTable` and `ClientStates`, `tables` those of `ScoringTables`.
    Puts into `days` (n,) the mean of each client-day that an event completes, unless the client is
    suspected, and notes in `profiles` those that are due, with the number of `regions` that the
    input space is divided into. Returns that event's index and a mask: bit s for a sign that is
    over its threshold, or was, when the client is to be looked at. At the end the index is the
    number of events.
    """
    cells, has_input, labels, scores, margins, time_ms, p_values, broken = batch
    levels, stages, counts, thresholds, volume = tables
    evidence, verdicts, first_offsets, client_days = judged
    memory, stats = table[0], table[6]
    # The last two are measured, not asked: fields taken in turn, and the volume.
    turns = len(counts) - 2
    for i in range(begin, len(rows)):
        row, expected = rows[i], rows[min(i + AHEAD, len(rows) - 1)]
        _expect(expected, table, judged)
        code = observe(
            row, z[i], cells[i], has_input[i], labels[i], scores[i], margins[i], time_ms[i],
            p_values[i], broken[i], lens, table,
        )  # fmt: skip
        if lens.calibrated == 1 and has_input[i]:
            mean = follow_day(client_days[row], time_ms[i], p_values[i])
            if verdicts[row, FIRED] == 0:
                days[i] = mean
        n = stats[row, _QUERIES]
        mask = 0
        for s in range(len(counts)):
            prefetch_part(memory, expected, s, len(counts))
            state = evidence[row, s]
            if state[0] == 0.0 and (s < turns or n == 1.0):
                first_offsets[row, s] = offsets[i]
            if s < turns:
                if levels[code, s] >= 0:
                    learn(state, levels[code, s], stages[s], counts[s])
                over = _reaches(state, thresholds[s])
            elif s == turns:
                grow(state, stats[row, _TURN_GAIN])
                over = _reaches(state, thresholds[s])
            else:
                value = tail(stats[row, _VOLUME], volume[0], volume[1])
                state[LOG_E] = value
                over = value >= thresholds[s]
            if over:
                mask |= 1 << s
        # A sign that is credible for the first time is looked at whatever stands.
        if n >= verdicts[row, LOOK] or mask & ~verdicts[row, FIRED] != 0:
            mask |= verdicts[row, FIRED]
        else:
            mask = 0
        if n == 32 or n == 64 or n == 128 or n % 256 == 0:
            unexplained = mask == 0 and verdicts[row, FIRED] == 0
            note(i, row, unexplained, regions, table, evidence, LOG_E, profiles)
        if mask != 0:
            return i, mask
    return len(rows), 0
