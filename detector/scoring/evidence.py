"""Evidence that accumulates over a client's life: an e-process for each sign.

With every query the evidence grows by the log ratio of two predictive probabilities of what was
seen: under the attackers' Beta distribution and under the benign clients'. Both mixtures learn from
the client's own queries, so the product is a likelihood ratio of exchangeable models, and under the
benign one its expectation never exceeds 1 (Ville 1939; Ramdas et al. 2023, "Game-theoretic
statistics and safe anytime-valid inference"). It starts afresh when it falls below 1; the k-th
start counts with the weight 1 / ((k + 1)(k + 2)), and because these weights sum to 1 the best
weighted start is an e-process too: a benign client ever reaches c with a probability of 1 / c.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.features.block import fields_at
from detector.features.observe import observe
from detector.features.state import ClientRow, Stat
from detector.kit.compiled import borrowing, compiled
from detector.kit.prefetch import prefetch_part
from detector.reference.client_days import DAY_WIDTH, follow_day
from detector.scoring.profiles import note

MAX_STAGES = 2
# Columns of the evidence array: queries at or above each level, then these.
LOG_E, RESTARTS = range(MAX_STAGES + 1, MAX_STAGES + 3)
WIDTH = MAX_STAGES + 3
# Columns of the verdict array: the query from which to judge again and that from which to report
# again, the signs that were credible as bits, the number of the hypothesis that stands, from 1, and
# of the one that fitted better at the last look; the evidence of the last report.
LOOK, DUE, FIRED, STANDING, BETTER, SAID = range(6)
VERDICT = 6
# In place of all signs that were credible under another reference: they suspect, and say no more.
SUSPECTED = 1 << 62
SIGNS_ALONE = SUSPECTED - 1
# Columns of a stage: benign a and b, attack a and b, floor.
STAGE_WIDTH = 5
# Events between asking for a row and using it: enough for memory, too few to push others out.
AHEAD = 2
_QUERIES = int(Stat.QUERIES)
_VOLUME = int(Stat.VOLUME)
_TURN_GAIN = int(Stat.TURN_GAIN)


class Judgement(NamedTuple):
    """What has been made of one client.

    Attributes:
        evidence: (signs, `WIDTH`) float32.
        verdicts: (`VERDICT`,) int64.
        first: (signs,) int64, the offset of the event that the evidence begins with.
        days: (`DAY_WIDTH`,) float64, the client-day under way.
    """

    evidence: NDArray[np.float32]
    verdicts: NDArray[np.int64]
    first: NDArray[np.int64]
    days: NDArray[np.float64]


def blank_judgement(signs: int) -> Judgement:
    """Return that of a client of whom nothing is known."""
    return Judgement(
        np.zeros((signs, WIDTH), dtype=np.float32),
        np.zeros(VERDICT, dtype=np.int64),
        np.zeros(signs, dtype=np.int64),
        np.zeros(DAY_WIDTH),
    )


class Rows(NamedTuple):
    """Clients' rows as the kernel takes them.

    Attributes:
        rows: (capacity, bytes of a row), the bytes of a `Block`.
        starts: Where each field begins in a row, those of a `ClientRow` before a `Judgement`'s.
        blank: A row like theirs.
        unjudged: A judgement like theirs.
    """

    rows: NDArray[np.uint8]
    starts: NDArray[np.int64]
    blank: ClientRow
    unjudged: Judgement


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


@compiled
def summit(levels: Any, stages: Any, count: int) -> float:
    """Return the highest weighted log e-value that a life of (n,) levels brings a sign to."""
    state = np.zeros(WIDTH, dtype=np.float32)
    highest = -np.inf
    for i in range(len(levels)):
        highest = max(highest, weigh(state, levels[i], stages, count))
    return highest


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
def score(
    begin: int, owners: Any, z: Any, batch: Any, lens: Any, held: Any, offsets: Any, tables: Any,
    days: Any, regions: int, profiles: Any,
) -> tuple[int, int]:  # fmt: skip
    """Observe and weigh events from `begin` on, up to the first that wants attention.

    `owners` (n,) are the rows of `held` that the events belong to, `batch` is (cells, has_input,
    labels, scores, margins, time_ms, p_values, broken), `tables` are those of `ScoringTables`. Puts
    into `days` (n,) the mean of each client-day that an event completes, unless the client is
    suspected, and notes in `profiles` those that are due, with the number of `regions` that the
    input space is divided into. Returns that event's index and a mask: bit s for a sign that is
    over its threshold, or was, when the client is to be looked at. At the end the index is the
    number of events.
    """
    cells, has_input, labels, scores, margins, time_ms, p_values, broken = batch
    levels, stages, counts, thresholds, volume = tables
    rows, starts, blank, unjudged = held
    # The last two are measured, not asked: fields taken in turn, and the volume.
    turns = len(counts) - 2
    for i in range(begin, len(owners)):
        expected = owners[min(i + AHEAD, len(owners) - 1)]
        client = fields_at(blank, rows, owners[i], starts, 0)
        judged = fields_at(unjudged, rows, owners[i], starts, len(blank))
        stats, verdicts = client.stats, judged.verdicts
        code = observe(
            client, z[i], cells[i], has_input[i], labels[i], scores[i], margins[i], time_ms[i],
            p_values[i], broken[i], lens,
        )  # fmt: skip
        if lens.calibrated == 1 and has_input[i]:
            mean = follow_day(judged.days, time_ms[i], p_values[i])
            if verdicts[FIRED] == 0:
                days[i] = mean
        n = stats[_QUERIES]
        mask = 0
        for s in range(len(counts)):
            prefetch_part(rows, expected, s, len(counts))
            state = judged.evidence[s]
            if state[0] == 0.0 and (s < turns or n == 1.0):
                judged.first[s] = offsets[i]
            if s < turns:
                if levels[code, s] >= 0:
                    learn(state, levels[code, s], stages[s], counts[s])
                over = _reaches(state, thresholds[s])
            elif s == turns:
                grow(state, stats[_TURN_GAIN])
                over = _reaches(state, thresholds[s])
            else:
                value = tail(stats[_VOLUME], volume[0], volume[1])
                state[LOG_E] = value
                over = value >= thresholds[s]
            if over:
                mask |= 1 << s
        # A sign that is credible for the first time is looked at whatever stands.
        if n >= verdicts[LOOK] or mask & ~verdicts[FIRED] != 0:
            mask |= verdicts[FIRED] & SIGNS_ALONE
        else:
            mask = 0
        if n == 32 or n == 64 or n == 128 or n % 256 == 0:
            unexplained = mask == 0 and verdicts[FIRED] == 0
            note(i, client, unexplained, regions, judged.evidence, LOG_E, profiles)
        if mask != 0:
            return i, mask
    return len(owners), 0
