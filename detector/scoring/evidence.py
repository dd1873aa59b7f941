"""Evidence that accumulates over a client's life: an e-process for each hypothesis.

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

from detector.features.observe import observe
from detector.features.state import Stat
from detector.kit.compiled import compiled

MAX_STAGES = 3
# Columns of the evidence array: queries at or above each level, then these.
LOG_E, RESTARTS, SINCE, DUE, FIRED = range(MAX_STAGES + 1, MAX_STAGES + 6)
WIDTH = MAX_STAGES + 6
# Columns of a stage: benign a and b, attack a and b, floor.
STAGE_WIDTH = 5
PROFILE_DUE = 62
_QUERIES = int(Stat.QUERIES)


@compiled
def _cost(restarts: float) -> float:
    """Return what the k-th start costs: minus the log of its weight."""
    return float(np.log((restarts + 1.0) * (restarts + 2.0)))


@compiled
def weigh(state: Any, level: int, n: float, stages: Any, count: int) -> float:
    """Update one hypothesis of one client with one query; return its weighted log e-value."""
    if level < 0:
        return float(state[LOG_E] - _cost(state[RESTARTS]))
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
    state[LOG_E] += gain
    if state[LOG_E] < 0.0:
        for j in range(LOG_E + 1):
            state[j] = 0.0
        state[RESTARTS] += 1.0
        state[SINCE] = n + 1.0
    return float(state[LOG_E] - _cost(state[RESTARTS]))


@compiled
def score(
    begin: int, rows: Any, z: Any, batch: Any, lens: Any, table: Any, evidence: Any,
    offsets: Any, first_offsets: Any, levels: Any, stages: Any, stage_counts: Any, thresholds: Any,
) -> tuple[int, int]:  # fmt: skip
    """Observe and weigh events from `begin` on, up to the first that wants attention.

    `batch` is (cells, has_input, labels, scores, margins, time_ms, p_values). Returns that event's
    index and a mask: bit h for a hypothesis over its threshold and due, `PROFILE_DUE` for a
    profile. At the end the index is the number of events.
    """
    cells, has_input, labels, scores, margins, time_ms, p_values = batch
    stats = table[4]
    for i in range(begin, len(rows)):
        row = rows[i]
        code = observe(
            row, z[i], cells[i], has_input[i], labels[i], scores[i], margins[i], time_ms[i],
            p_values[i], lens, table,
        )  # fmt: skip
        n = stats[row, _QUERIES]
        mask = 0
        for h in range(len(stage_counts)):
            state = evidence[row, h]
            if state[0] == 0.0:
                first_offsets[row, h] = offsets[i]
            value = weigh(state, levels[h, code], n, stages[h], stage_counts[h])
            if (value >= thresholds[h] or state[FIRED] > 0.0) and n >= state[DUE]:
                mask |= 1 << h
        if n == 32 or n == 64 or n == 128 or n % 256 == 0:
            mask |= 1 << PROFILE_DUE
        if mask != 0:
            return i, mask
    return len(rows), 0
