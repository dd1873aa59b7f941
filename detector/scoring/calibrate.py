"""The client-level half of a reference: how benign clients behave towards each hypothesis.

Benign clients differ from each other far more than queries of one client do, so the unit is a
stretch of one client's queries: the spread between stretches gives the strength of the Beta
distribution that evidence is held against.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import Floats
from detector.features.catalogue import RowView, vector
from detector.features.lens import make_lens
from detector.features.observe import observe
from detector.features.state import ClientTable, Stat
from detector.reference.picture import Reference
from detector.scoring.evidence import WIDTH, weigh
from detector.scoring.hypothesis import Hypothesis, Stage
from detector.scoring.tables import ScoringPolicy, build_tables

NEAR_SHARE = 0.35
STRETCH = 64
MIN_TRIALS = 8
PROFILE_QUERIES = (32, 64, 128, 256)
MAX_STRENGTH_CHANGE = 2.0


class BenignLog:
    """Benign events as the kernel takes them, rows of one client in their order."""

    def __init__(
        self, z: NDArray[np.float32], cells: Floats, labels: NDArray[np.int64], scores: Floats,
        margins: Floats, time_ms: NDArray[np.int64], owner: NDArray[np.int64],
    ) -> None:  # fmt: skip
        self.z, self.cells, self.labels, self.scores = z, cells, labels, scores
        self.margins, self.time_ms, self.owner = margins, time_ms, owner


def calibrate(reference: Reference, log: BenignLog, hypotheses: Sequence[Hypothesis]) -> Reference:
    """Return the reference with its near distance, nulls, ceilings and client vectors filled in."""
    table, _, _ = _watch(reference, log)
    count = table.stats[:, Stat.NEAREST_COUNT]
    known = count >= MIN_TRIALS
    near = 0.0
    if known.any():
        near = NEAR_SHARE * float(np.median(table.stats[known, Stat.NEAREST_SUM] / count[known]))
    reference = replace(reference, near=near)
    _, codes, vectors = _watch(reference, log)
    levels = build_tables(hypotheses, {}, {}, ScoringPolicy(), calibrated=True).levels[:, codes]
    nulls = {
        hypothesis.technique: fit_nulls(hypothesis.stages, levels[h], log.owner)
        for h, hypothesis in enumerate(hypotheses)
    }
    tables = build_tables(hypotheses, nulls, {}, ScoringPolicy(), calibrated=True)
    ceilings = {
        hypothesis.technique: _ceiling(levels[h], log.owner, tables.stages[h], tables.counts[h])
        for h, hypothesis in enumerate(hypotheses)
    }
    return replace(reference, nulls=nulls, ceilings=ceilings, vectors=vectors)


def _ceiling(
    levels: NDArray[np.int64], owner: NDArray[np.int64], stages: Floats, count: int
) -> float:
    """Return the log evidence that the second most conspicuous benign client reached.

    The most conspicuous one does not count: a single intruder in the reference must not be able to
    raise the threshold for all.
    """
    highest = []
    for client in np.unique(owner):
        state = np.zeros(WIDTH, dtype=np.float32)
        rows = np.flatnonzero(owner == client)
        reached = [
            weigh(state, int(level), float(n), stages, int(count))
            for n, level in enumerate(levels[rows], 1)
        ]
        highest.append(max(reached))
    return max(float(np.sort(highest)[-2:][0]), 0.0)


def _watch(reference: Reference, log: BenignLog) -> tuple[ClientTable, NDArray[np.int64], Floats]:
    """Run the benign events through fresh state; return it, the codes, and client vectors."""
    clients = int(log.owner.max()) + 1
    table = ClientTable(log.z.shape[1], clients)
    arrays = table.arrays()
    lens = make_lens(reference, log.z.shape[1])
    p_values = reference.p_values(log.cells)
    codes = np.zeros(len(log.z), dtype=np.int64)
    vectors = []
    for i in range(len(log.z)):
        row = log.owner[i]
        codes[i] = observe(
            row, log.z[i], log.cells[i], True, log.labels[i], log.scores[i], log.margins[i],
            log.time_ms[i], p_values[i], lens, arrays,
        )  # fmt: skip
        if table.stats[row, Stat.QUERIES] in PROFILE_QUERIES:
            vectors.append(vector(RowView(table, int(row), len(reference.centroids))))
    return table, codes, np.array(vectors) if vectors else np.zeros((0, 0))


def fit_nulls(
    stages: Sequence[Stage], levels: NDArray[np.int64], owner: NDArray[np.int64]
) -> tuple[float, ...]:
    """Return Beta parameters a, b of each stage from the levels that benign queries reached."""
    fitted: list[float] = []
    stretches = [
        rows[i : i + STRETCH]
        for rows in (np.flatnonzero(owner == client) for client in np.unique(owner))
        for i in range(0, len(rows), STRETCH)
    ]
    for j, stage in enumerate(stages):
        trials = np.array([(levels[rows] >= j).sum() for rows in stretches], dtype=float)
        hits = np.array([(levels[rows] > j).sum() for rows in stretches], dtype=float)
        fitted.extend(float(value) for value in fit_beta(stage, trials, hits))
    return tuple(fitted)


def fit_beta(
    stage: Stage, trials: NDArray[np.float64], hits: NDArray[np.float64]
) -> tuple[float, float]:
    """Fit a Beta distribution by moments, shrunk to the stage's own expectation.

    The strength stays within a factor of `MAX_STRENGTH_CHANGE` of the expected one: a reference
    that shows little spread does not hold every kind of benign client that will come, and one odd
    stretch does not make oddity common. For the first reason the mean never falls under a quarter
    of the expected one. What the fit misses, the ceilings catch.
    """
    weight = 2.0 * stage.benign_strength
    mean = (hits.sum() + weight * stage.benign) / (trials.sum() + weight)
    mean = min(max(mean, stage.benign / 4.0), 0.9)
    strength = MAX_STRENGTH_CHANGE * stage.benign_strength
    enough = trials >= MIN_TRIALS
    if enough.sum() >= 10:
        n, share = trials[enough], hits[enough] / trials[enough]
        spread = float(((share - share.mean()) ** 2).mean())
        binomial = float((mean * (1.0 - mean) / n).mean())
        between = max(spread - binomial, 0.0)
        if between > 0.0:
            strength = min(strength, mean * (1.0 - mean) / between - 1.0)
    strength = max(strength, stage.benign_strength / MAX_STRENGTH_CHANGE)
    return mean * strength, (1.0 - mean) * strength
