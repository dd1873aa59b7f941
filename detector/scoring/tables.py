"""Hypotheses as arrays for the compiled scorer, and the alarm budget as thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.features.observation import CODES, decode
from detector.scoring.evidence import MAX_STAGES, STAGE_WIDTH
from detector.scoring.hypothesis import Hypothesis, Need

UNCALIBRATED_PENALTY = 4.0
CEILING_MARGIN = 2.0


@dataclass(frozen=True, slots=True)
class ScoringPolicy:
    """How sure to be.

    Attributes:
        alarm_budget: Accepted probability that a benign client ever raises an incident.
        attacker_share: Share of clients that attack, before anything is known of one; it turns
            evidence into the confidence shown.
    """

    alarm_budget: float = 1e-3
    attacker_share: float = 1e-2


@dataclass(frozen=True, slots=True)
class ScoringTables:
    """Arrays of h hypotheses: levels (h, codes), stages (h, 3, 5), counts (h,), thresholds (h,)."""

    levels: NDArray[np.int64]
    stages: NDArray[np.float64]
    counts: NDArray[np.int64]
    thresholds: NDArray[np.float64]


def build_tables(
    hypotheses: Sequence[Hypothesis],
    nulls: Mapping[str, Sequence[float]],
    ceilings: Mapping[str, float],
    policy: ScoringPolicy,
    calibrated: bool,
) -> ScoringTables:
    """Return the arrays; the budget is shared evenly by the hypotheses (union bound).

    `nulls` holds Beta parameters by technique, two a stage, and `ceilings` the log evidence that
    benign clients were seen to reach, where a reference has spoken: the threshold stays
    `CEILING_MARGIN` above it. Without a
    reference a hypothesis that needs one never fires and the others must show more.
    """
    size = len(hypotheses)
    levels = np.zeros((size, CODES), dtype=np.int64)
    stages = np.zeros((size, MAX_STAGES, STAGE_WIDTH))
    counts = np.zeros(size, dtype=np.int64)
    thresholds = np.full(size, np.log(size / policy.alarm_budget))
    observations = [decode(code) for code in range(CODES)]
    for h, hypothesis in enumerate(hypotheses):
        levels[h] = [hypothesis.level(seen) for seen in observations]
        counts[h] = len(hypothesis.stages)
        null = nulls.get(hypothesis.technique, ())
        for j, stage in enumerate(hypothesis.stages):
            a = stage.benign * stage.benign_strength
            b = stage.benign_strength - a
            if len(null) == 2 * len(hypothesis.stages):
                a, b = null[2 * j], null[2 * j + 1]
            # Showing fewer signs than benign clients must never count as evidence.
            floor = min(max(stage.floor, a / (a + b)), 0.95)
            attack_a = stage.attack * stage.attack_strength
            stages[h, j] = (a, b, attack_a, stage.attack_strength - attack_a, floor)
        reached = ceilings.get(hypothesis.technique, 0.0)
        thresholds[h] = max(thresholds[h], reached + CEILING_MARGIN)
        if not calibrated:
            needs_reference = Need.REFERENCE in hypothesis.needs
            thresholds[h] += np.inf if needs_reference else UNCALIBRATED_PENALTY
    return ScoringTables(levels, stages, counts, thresholds)
